"""A ``hotplane`` command as a child process that gets ready, is ended, or is killed.

Imports only `failure` and the standard library.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from abc import ABC, abstractmethod
from asyncio.subprocess import DEVNULL, Process, create_subprocess_exec
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from examples.demo.failure import DemoFailed

__all__ = ["ROOT", "Child"]

ROOT = Path(__file__).resolve().parents[2]
"""The repository: children run here, so that they can import `examples`."""

READY_WITHIN = 100.0
"""Seconds for a child to become ready; it needs about one."""
POLL_EVERY = 0.05
STOP_WITHIN = 15.0
"""Seconds between SIGTERM and SIGKILL: the host's own grace of 10 s, and some."""
LAST_LINES = 12


class Child(ABC):
    """``hotplane …`` in a process of its own, ready inside ``async with``.

    Args:
        name: What it is to the viewer, such as ``server``; its files are named like that.
        folder: Where what it says and its log go.

    Raises:
        DemoFailed: On entering: it did not become ready; the text has its last lines.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._said = folder / f"{name.replace(' ', '-')}.out"
        self._log = folder / f"{name.replace(' ', '-')}.log"
        self._process: Process | None = None

    @abstractmethod
    def arguments(self) -> Sequence[str]:
        """Return the arguments of ``hotplane``."""

    @abstractmethod
    async def is_ready(self, said: str) -> bool:
        """Tell whether it serves.

        Args:
            said: What it has written to stdout.
        """

    def environment(self) -> Mapping[str, str]:
        """Return the environment of the process."""
        return os.environ

    async def start(self) -> None:
        """Start the process and wait until it serves.

        Raises:
            DemoFailed: It does not.
        """
        command = [sys.executable, "-m", "hotplane", *self.arguments()]
        with self._said.open("wb") as said, self._log.open("ab") as log:
            self._process = await create_subprocess_exec(
                *command, cwd=ROOT, env=self.environment(), stdin=DEVNULL, stdout=said, stderr=log
            )
        try:
            await self._wait_until_ready()
        except BaseException:
            await self.stop()
            raise

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> int | None:
        """Ask the process to end, force it when it does not, and return its exit code; None when it never ran."""
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

    async def kill(self) -> None:
        """End the process with SIGKILL: it can neither say good-bye nor finish anything."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself
                self._process.kill()
            await self._process.wait()

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
        """Return the exception for `what` happened, with the last lines that the process wrote."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        written = "\n".join(f"  {line}" for line in lines) or "  nothing"
        return DemoFailed(f"{what} Its last words were:\n{written}")

    async def _wait_until_ready(self) -> None:
        deadline = asyncio.get_running_loop().time() + READY_WITHIN
        while not await self.is_ready(self._said.read_text(encoding="utf-8", errors="replace")):
            if await self.died(within=POLL_EVERY):
                code = self._process.returncode if self._process else None
                raise self.failure(f"The {self.name} ended before it was ready (exit code {code}).")
            if asyncio.get_running_loop().time() > deadline:
                raise self.failure(f"The {self.name} was not ready within {READY_WITHIN:g} s.")
