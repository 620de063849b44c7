"""A Hotplane server as a child process. Imports only `failure`, httpx2 and the standard library."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from asyncio.subprocess import DEVNULL, Process, create_subprocess_exec
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2

from examples.demo.failure import DemoFailed

__all__ = ["ROOT", "Server"]

ROOT = Path(__file__).resolve().parents[2]
"""The repository: the server runs here, so that it can import `examples`."""

READY_WITHIN = 20.0
"""Seconds for the server to become ready; it needs about one."""
POLL_EVERY = 0.05
STOP_WITHIN = 15.0
"""Seconds between SIGTERM and SIGKILL: the server's own grace of 10 s, and some."""
LAST_LINES = 12

_ANNOUNCED = re.compile(r"ready at (http://\S+)\s")


class Server:
    """``hotplane serve`` in a process of its own, ready inside ``async with``.

    Args:
        config: The configuration file.
        folder: Where the store and the log go.
        port: The port to listen on; 0 for any free one.

    Raises:
        DemoFailed: On entering: the server did not become ready; the text has its last lines.
    """

    def __init__(self, config: Path, folder: Path, port: int = 0) -> None:
        self._config = config
        self._port = port
        self.url = ""
        """Where it is reached; known inside ``async with``."""
        self.store = folder / "demo.db"
        self._said = folder / "server.out"
        self._log = folder / "server.log"
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        arguments = ["--config", str(self._config), "--store", str(self.store), "--port", str(self._port)]
        command = [sys.executable, "-m", "hotplane", "serve", *arguments]
        with self._said.open("wb") as said, self._log.open("wb") as log:
            self._process = await create_subprocess_exec(*command, cwd=ROOT, stdin=DEVNULL, stdout=said, stderr=log)
        try:
            await self._wait_until_ready()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> int | None:
        """Ask the server to end, force it when it does not, and return its exit code; None when it never ran."""
        process = self._process
        if process is None:
            return None
        with contextlib.suppress(ProcessLookupError):  # it ended by itself
            process.terminate()
        try:
            return await asyncio.wait_for(process.wait(), STOP_WITHIN)
        except TimeoutError:
            process.kill()
            return await process.wait()

    async def died(self, within: float = 0.5) -> bool:
        """Tell whether the process has ended, giving one that is just ending a moment to do so.

        Args:
            within: Seconds to give it.
        """
        if self._process is None:
            return True
        with contextlib.suppress(TimeoutError):  # it lives
            await asyncio.wait_for(self._process.wait(), within)
        return self._process.returncode is not None

    def failure(self, what: str) -> DemoFailed:
        """Return the exception for `what` happened, with the last lines that the server wrote."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        written = "\n".join(f"  {line}" for line in lines) or "  nothing"
        return DemoFailed(f"{what} Its last words were:\n{written}")

    async def _wait_until_ready(self) -> None:
        deadline = asyncio.get_running_loop().time() + READY_WITHIN
        async with httpx2.AsyncClient(trust_env=False, timeout=2.0) as client:
            while not await self._is_ready(client):
                if await self.died(within=POLL_EVERY):
                    code = self._process.returncode if self._process else None
                    raise self.failure(f"The server ended before it was ready (exit code {code}).")
                if asyncio.get_running_loop().time() > deadline:
                    raise self.failure(f"The server was not ready within {READY_WITHIN:g} s.")

    async def _is_ready(self, client: httpx2.AsyncClient) -> bool:
        """Ask at the address that the process itself printed: another server may listen anywhere else."""
        announced = _ANNOUNCED.search(self._said.read_text(encoding="utf-8", errors="replace"))
        if announced is None:
            return False
        self.url = announced[1]
        try:
            return (await client.get(f"{self.url}/readyz")).status_code == HTTPStatus.OK
        except httpx2.TransportError:
            return False
