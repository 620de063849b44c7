"""The host of a soak, its two workers, its receiver and its plugins, each a real process or a real file."""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tests.integration.events.scene import BREAKER, SECRET, ReceiverProcess
from tests.integration.faults.processes import COMMAND, MODULE, Worker, start_worker, write_program

__all__ = ["CHANGING", "HANDLER", "WITNESS", "Host", "Scene", "changing", "quiet_port"]

READY_WITHIN = 60.0
STOP_WITHIN = 30.0
ROUTE = ("valkyrie", "http", "local")
_QUIET_PORTS = range(20_000, 32_000)
"""Below those that systems give to outgoing connections (Linux: from 32768, others from 49152)."""
HANDLER = "hook"
WITNESS = "witness"
"""The plugin that tells how many asyncio tasks its host has."""
CHANGING = "changing"
"""The plugin whose file is edited all the time."""

_AT_REST = "at-rest"
"""While this file is in its working folder, the witness collects garbage and counts objects."""

_SYNC = """

def keep(value):
    note(value, "began")
    time.sleep(value["seconds"])
    return value["id"]
"""
_WITNESS = f'''
import asyncio
import gc
from pathlib import Path
from hotplane.plugins import Validator
from hotplane.records import Health, PluginMetadata, ValidationResult

class Witness(Validator):
    metadata = PluginMetadata(name="{WITNESS}", version="1")

    async def check_health(self):
        found = {{"tasks": len(asyncio.all_tasks())}}
        if Path("{_AT_REST}").exists():  # the host's working folder is the soak's
            gc.collect()
            found["objects"] = len(gc.get_objects())
        return Health(details=found)

    def validate(self, execution, context):
        return ValidationResult(valid=True, applies=False)
'''
_CHANGING = f'''
from hotplane.plugins import Validator
from hotplane.records import PluginMetadata, ValidationResult

BALLAST = list(range({{number}}, {{number}} + 5_000))  # a generation that is not let go of shows in the memory

class Changing(Validator):
    metadata = PluginMetadata(name="{CHANGING}", version="{{version}}", description="{{number}}")

    def validate(self, execution, context):
        return ValidationResult(valid=True, metadata={{{{"version": {{number}}}}}})
'''


def changing(number: int) -> str:
    """Return one edit of the plugin, with its number as description.

    Versions come back: the numbers that a host keeps of each version for an hour would look like growth.
    """
    return _CHANGING.format(number=number, version=number % 10)


def quiet_port() -> int:
    """Return a free port that the system gives to no outgoing connection.

    Such a connection could take the port of a server that is away for a moment.
    """
    for port in random.Random().sample(_QUIET_PORTS, 100):
        with socket.socket() as probe, suppress(OSError):  # somebody has it
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")


class Host:
    """``hotplane serve`` in a process of its own; started again, it is where it was before.

    Args:
        folder: Where its configuration, its store and its log are.
    """

    def __init__(self, folder: Path) -> None:
        self.url = ""
        self._folder = folder
        self._port = str(quiet_port())
        self._process: Process | None = None

    @property
    def pid(self) -> int:
        """The process that runs, or ran last."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it and wait until it serves.

        Raises:
            RuntimeError: It does not; the message has the end of its log.
        """
        log = self._folder / "host.log"
        with log.open("ab") as errors:
            command = (COMMAND, "serve", "--config", "hotplane.json", "--port", self._port)
            self._process = await create_subprocess_exec(*command, cwd=self._folder, stdout=PIPE, stderr=errors)
        assert self._process.stdout is not None
        line = b""
        with suppress(TimeoutError):  # an empty line says it, too
            line = await asyncio.wait_for(self._process.stdout.readline(), READY_WITHIN)
        found = re.search(r"ready at (http://\S+)", line.decode())
        if found is None:
            await self.kill()
            raise RuntimeError(f"the host did not come up: {log.read_text('utf-8')[-2000:]}")
        self.url = found[1]

    async def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            with suppress(ProcessLookupError):  # it ended by itself
                self._process.kill()
            await self._process.wait()

    async def stop(self) -> int | None:
        """Ask it to end, force it when it does not, and return its exit code."""
        if self._process is None:
            return None
        with suppress(ProcessLookupError):  # it ended by itself
            self._process.terminate()
        with suppress(TimeoutError):  # it has had its time
            await asyncio.wait_for(self._process.wait(), STOP_WITHIN)
        await self.kill()
        return self._process.returncode


class Scene:
    """Everything that a soak needs, running inside ``async with``; it ends what it started, and nothing else.

    Args:
        folder: Empty; everything is in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = Host(folder)
        self.ledger = folder / "ledger"
        self.plugins = folder / "plugins"
        self.workers: dict[str, Worker] = {}
        """By the name of the runner that asks them."""

    async def __aenter__(self) -> Self:
        write_program(self.folder)
        program = self.folder / f"{MODULE}.py"
        program.write_text("import time\n" + program.read_text("utf-8") + _SYNC, "utf-8")
        self.plugins.mkdir()
        (self.plugins / f"{WITNESS}.py").write_text(_WITNESS, "utf-8")
        (self.plugins / f"{CHANGING}.py").write_text(changing(0), "utf-8")
        try:
            self.receiver = await asyncio.to_thread(ReceiverProcess, self.folder)
            self.receiver.stop()
            self.receiver.port = quiet_port()
            await asyncio.to_thread(self.receiver.start)
            for runner in ROUTE[:2]:
                await self.start_worker(runner)
            (self.folder / "hotplane.json").write_text(json.dumps(self._config(), indent=1), "utf-8")
            await self.host.start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.host.kill()
        for worker in self.workers.values():
            worker.kill()
        if hasattr(self, "receiver"):
            self.receiver.stop()

    def look_closely(self, *, at_rest: bool) -> None:
        """Tell the witness whether the host rests."""
        if at_rest:
            (self.folder / _AT_REST).touch()
        else:
            (self.folder / _AT_REST).unlink(missing_ok=True)

    async def start_worker(self, runner: str) -> None:
        """Start the worker of a runner, where it was before if it was."""
        before = self.workers.get(runner)
        port, http = (before.port, before.http_port) if before else (quiet_port(), quiet_port())
        door = ("--http", f"127.0.0.1:{http}")  # the last one counts
        listen = f"tcp://127.0.0.1:{port}"
        self.workers[runner] = await asyncio.to_thread(start_worker, self.folder, *door, listen=listen)

    def _config(self) -> dict[str, Any]:
        common = {"route": ROUTE, "timeout_ms": 10_000, "sampling_rate": 0.1, "output_schema": {"type": "string"}}
        valkyrie = {"endpoint": self.workers["valkyrie"].endpoint, "reconnect_max_ms": 1_000}
        http = {"base_url": self.workers["http"].url, "connect_timeout_ms": 1_000}
        return {
            "storage": {"url": str(self.folder / "host.db"), "synchronous": "FULL"},
            "programs": {"allow": [MODULE], "paths": [str(self.folder)], "max_threads": 8},
            "tasks": {
                "safe": {**common, "program": f"{MODULE}:work", "idempotent": True},
                "sync": {**common, "program": f"{MODULE}:keep", "idempotent": True},
                "once": {**common, "program": f"{MODULE}:work"},
            },
            "plugins": {
                "directories": [str(self.plugins)],
                "validators": [{"name": "json-schema-validator"}],
                "samplers": [{"name": "percentage-sampler"}],
                "runners": [{"name": "valkyrie", "configuration": valkyrie}, {"name": "http", "configuration": http}],
                "webhook_handlers": [
                    {
                        "name": HANDLER,
                        "type": "http-webhook-handler",
                        "configuration": {"url": self.receiver.url, "secrets": [SECRET], "timeout_seconds": 1.0},
                        "delivery": {
                            # Outages last for seconds: what counts is that nothing is lost, not how patient it is.
                            "schedule_seconds": [0.5] * 60, "throttle_seconds": 1.0, "timeout_seconds": 2.0,
                            "concurrency": 16, "disable_after_hours": 0,
                        },
                    }
                ],
            },
            "events": {"breaker": dict(BREAKER)},
            "network": {"keepalive_seconds": 3.0},
            "log": {"level": "error"},
        }  # fmt: skip
