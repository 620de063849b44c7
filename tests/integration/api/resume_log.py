"""What a reader of a stream sees when its host is killed in mid-stream: ``python -m tests.integration.api.resume_log``.

A host of its own process runs a stream; a reader follows its events over HTTP. The host is killed (SIGKILL) several
times and started again on the same port and store; the reader comes back with `Last-Event-ID`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.integration.api.stream_clients import lines, parsed

SERVE = """
import asyncio, sys, msgspec
from hotplane.api import serve
from hotplane.app import Hotplane
host = Hotplane.from_config(msgspec.json.decode(sys.argv[1]))
asyncio.run(serve(host, on_ready=lambda url: print(url, flush=True)))
"""
PROGRAM = """
import asyncio
from pathlib import Path

HERE = Path(__file__).parent

def held(value):
    limits = [int(path.name.partition("-")[2]) for path in HERE.glob("until-*")]
    return bool(limits) and value >= max(limits)

async def steady(value):
    await asyncio.sleep(0.01)
    while held(value):
        await asyncio.sleep(0.01)
    return value
"""


def free_port() -> int:
    """Return a port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Host:
    """A host on one port and one store, killed and started again.

    Args:
        folder: Where its store and its program are.
    """

    def __init__(self, folder: Path) -> None:
        (folder / "steady_program.py").write_text(PROGRAM)
        self._folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._config = {
            "server": {"port": self.port, "shutdown_grace_seconds": 1},
            "storage": {"url": str(folder / "resume.db"), "synchronous": "FULL"},
            "programs": {"allow": ["steady_program"], "paths": [str(folder)]},
            "tasks": {"steady": {"program": "steady_program:steady", "idempotent": True}},
            "plugins": {"samplers": [{"name": "percentage-sampler"}]},
        }
        self._process: Process | None = None

    async def start(self) -> None:
        """Start it, and return when it answers."""
        config = json.dumps(self._config)
        self._process = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVE, config, stdout=PIPE)
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 50)
        assert line.decode().strip() == self.url

    def allow(self, items: int) -> None:
        """Have the items from this number on wait until more are allowed: a kill is to come in mid-stream."""
        (self._folder / f"until-{items}").touch()

    async def kill(self) -> None:
        """End it with SIGKILL."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()


@dataclass
class Seen:
    """What the reader saw."""

    positions: list[int] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    connections: int = 0
    end: dict[str, Any] | None = None
    after_end: int = 0
    """The status of one more reconnect after the last event."""

    @property
    def repeated(self) -> int:
        return sum(count - 1 for count in Counter(self.positions).values())

    def lost(self, items: int) -> int:
        return len(set(range(1, items + 1)) - set(self.positions))


async def upload(client: httpx2.AsyncClient, items: int) -> str:
    """Send a stream whole, leave, and return its id: it goes on, since it is detached."""
    content = lines({"input": number} for number in range(items))
    query = {"task": "steady", "detach": "true", "max_concurrency": "4"}
    headers = {"content-type": "application/x-ndjson"}
    async with client.stream("POST", "/api/stream/execute", params=query, content=content, headers=headers) as response:
        async for event in parsed(response.aiter_lines()):
            place = f"/api/stream/{event.data['id']}"
            while True:
                status = (await client.get(place)).json()
                if status["state"] != "receiving":
                    assert status["items"] == items
                    return status["id"]
                await asyncio.sleep(0.01)
    raise AssertionError("the answer has no events")


class Reader:
    """Follows a stream over every crash.

    Args:
        url: The server's.
        stream_id: The stream.
        say: Told what it sees.
    """

    def __init__(self, url: str, stream_id: str, say: Callable[[str], None]) -> None:
        self.seen = Seen()
        self.got = asyncio.Event()
        """Set at each result."""
        self._path = f"/api/stream/{stream_id}/events"
        self._url = url
        self._say = say
        self._last = ""

    async def run(self) -> Seen:
        """Follow until the end, and come back once more."""
        async with httpx2.AsyncClient(base_url=self._url, trust_env=False, timeout=60) as client:
            while self.seen.end is None:
                with suppress(httpx2.TransportError):
                    await self._connect(client)
                await asyncio.sleep(0.05)
            again = await client.get(self._path, headers={"last-event-id": self._last})
            self.seen.after_end = again.status_code
            self._say(f"reader   Last-Event-ID {self._last}: {again.status_code}")
        return self.seen

    async def _connect(self, client: httpx2.AsyncClient) -> None:
        headers = {"last-event-id": self._last} if self._last else {}
        before = len(self.seen.positions)
        async with client.stream("GET", self._path, headers=headers) as response:
            assert response.status_code == 200, response.status_code
            self.seen.connections += 1
            self._say(f"reader   connection {self.seen.connections}, Last-Event-ID {self._last or '(none)'}")
            try:
                async for event in parsed(response.aiter_lines()):
                    self._take(event)
            finally:
                self._say(f"reader   {len(self.seen.positions) - before} results, the last with id {self._last}")

    def _take(self, event: Any) -> None:
        if event.name == "result":
            self.seen.positions.append(event.data["position"])
            self.seen.sequences.append(event.data["sequence"])
            self.got.set()
        elif event.name == "end":
            self.seen.end = event.data
        self._last = event.id or self._last


async def play(folder: Path, *, items: int = 1500, kills: int = 3, say: Callable[[str], None] = print) -> Seen:
    """Run a stream, kill its host in mid-stream, and return what a reader saw.

    Args:
        folder: An empty folder.
        items: Items of the stream.
        kills: How often.
        say: Told what happens.
    """
    host = Host(folder)
    part = items // (kills + 2)
    host.allow(2 * part)
    await host.start()
    try:
        async with httpx2.AsyncClient(base_url=host.url, trust_env=False, timeout=60) as client:
            stream_id = await upload(client, items)
        say(f"stream   {items} items are stored, four run at a time, 10 ms each")
        reader = Reader(host.url, stream_id, say)
        reading = asyncio.create_task(reader.run())
        for number in range(1, kills + 1):
            await _some_results(reader, number * part)
            await host.kill()
            host.allow((number + 2) * part if number < kills else items)
            say(f"host     SIGKILL {number} after {len(reader.seen.positions)} results")
            await host.start()
            say(f"host     started again on port {host.port}")
        return await asyncio.wait_for(reading, 120)
    finally:
        await host.kill()


async def _some_results(reader: Reader, count: int) -> None:
    async with asyncio.timeout(60):
        while len(reader.seen.positions) < count:
            reader.got.clear()
            await reader.got.wait()


def summary(seen: Seen, items: int) -> str:
    """Return the outcome in one line."""
    assert seen.end is not None
    return (
        f"outcome  {items} items, {len(seen.positions)} results seen over {seen.connections} connections, "
        f"{seen.lost(items)} lost, {seen.repeated} repeated; state {seen.end['state']}, after the end {seen.after_end}"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as where:
        print(summary(asyncio.run(play(Path(where))), 1500))
