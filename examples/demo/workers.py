"""The two workers of the demo, and the configuration of a server that uses them.

Imports only `child`, msgspec, yaml and the standard library.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import yaml

from examples.demo.child import Child

__all__ = ["HTTP", "LOCAL", "ROUTE", "VALKYRIE", "Worker", "Workers", "write_config"]

VALKYRIE, HTTP, LOCAL = ROUTE = ("valkyrie", "http", "local")
"""The runners, in the order in which the server tries them."""

RECONNECT_MAX_MS = 500
"""The longest wait of the `valkyrie` runner between two attempts to connect; a demo has no hour to spend."""

BREAKER_MAX_SECONDS = 6.0
"""The longest time after which a breaker asks a runner again, for the same reason."""

_ENDPOINT = re.compile(r"ready at (tcp://\S+)")
_URL = re.compile(r"ready at .* and (http://\S+)\s")


class Worker(Child):
    """``hotplane worker`` in a process of its own; started again, it listens where it did before.

    Args:
        name: What it is to the viewer.
        folder: Where its log goes.
        http: Whether it opens its HTTP door, too.
    """

    def __init__(self, name: str, folder: Path, *, http: bool = False) -> None:
        super().__init__(name, folder)
        self.endpoint = "tcp://127.0.0.1:0"
        """Where it speaks Valkyrie."""
        self.url = "http://127.0.0.1:0" if http else ""
        """Where it speaks HTTP; empty if it does not."""

    def arguments(self) -> Sequence[str]:
        """Return the arguments of ``hotplane``."""
        door = ("--http", self.url.removeprefix("http://")) if self.url else ()
        return ("worker", "--programs", "examples.spam", "--listen", self.endpoint, *door, "--log-level", "warning")

    def environment(self) -> Mapping[str, str]:
        """Leave Hotplane's own variables out: a token there would close the HTTP door to the demo's server."""
        return {name: value for name, value in os.environ.items() if not name.startswith("HOTPLANE_")}

    async def is_ready(self, said: str) -> bool:
        """Read its addresses from the line that it writes when it serves."""
        endpoint, url = _ENDPOINT.search(said), _URL.search(said)
        if endpoint is None or not said.endswith("\n"):
            return False
        self.endpoint = endpoint[1]
        self.url = url[1] if url else ""
        return True


class Workers:
    """Worker A, reached by Valkyrie, and worker B, reached by HTTP; both run inside ``async with``.

    Args:
        folder: Where their logs go.
    """

    def __init__(self, folder: Path) -> None:
        self.a = Worker("worker A", folder)
        self.b = Worker("worker B", folder, http=True)

    async def start(self) -> None:
        """Start both at the same time.

        Raises:
            DemoFailed: One of them does not become ready.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.a.start())
                group.create_task(self.b.start())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None  # the first says why; the other start was cancelled

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stop()

    async def _stop(self) -> None:
        await asyncio.gather(self.a.stop(), self.b.stop())


def write_config(source: Path, task: str, workers: Workers, folder: Path) -> Path:
    """Write a configuration whose task runs on the workers and, without them, on the server itself.

    Args:
        source: The configuration to start from, YAML.
        task: The task that gets the route.
        workers: The workers, running.
        folder: Where to write it.
    """
    config: dict[str, Any] = yaml.safe_load(source.read_text(encoding="utf-8"))
    config["tasks"][task]["route"] = list(ROUTE)
    config["fallback"] = {"breaker": {"open_max_seconds": BREAKER_MAX_SECONDS}}
    config["plugins"]["runners"] = [
        {"name": VALKYRIE, "configuration": {"endpoint": workers.a.endpoint, "reconnect_max_ms": RECONNECT_MAX_MS}},
        {"name": HTTP, "configuration": {"base_url": workers.b.url}},
    ]
    path = folder / "hotplane.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(config)))
    return path
