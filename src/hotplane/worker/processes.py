"""A pool of child processes for CPU-bound programs, each of them replaced when it ends. Imports only its own room."""

from __future__ import annotations

import asyncio
from collections import Counter

from hotplane.log import get_logger
from hotplane.valkyrie import DeadlineExceeded
from hotplane.worker.failures import ProcessesDidNotStart
from hotplane.worker.process import ChildGone, ChildProcess
from hotplane.worker.settings import WorkerSettings

__all__ = ["ProcessPool"]

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
"""Between two tries to replace a process that does not start."""


class ProcessPool:
    """As many processes as the settings say; a call waits for an idle one, no longer than its deadline.

    Attributes:
        ends: How many processes have ended, by exit status, negative for a signal's number.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._idle: asyncio.Queue[ChildProcess] = asyncio.Queue()
        self._children: set[ChildProcess] = set()
        self._keepers: list[asyncio.Task[None]] = []
        self._log = get_logger()
        self.ends: Counter[int] = Counter()

    @property
    def alive(self) -> int:
        """How many processes can be called."""
        return sum(child.usable for child in self._children)

    @property
    def size(self) -> int:
        """How many there should be."""
        return self._settings.process_count

    async def start(self) -> None:
        """Start every process, and keep their number from here on.

        Raises:
            ProcessesDidNotStart: One of them does not; the others are ended.
        """
        starts = [asyncio.create_task(ChildProcess.start(self._settings)) for _ in range(self.size)]
        outcomes = await asyncio.gather(*starts, return_exceptions=True)
        self._children.update(each for each in outcomes if isinstance(each, ChildProcess))
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                await self.close()
                raise outcome
        self._keepers = [asyncio.create_task(self._keep(child)) for child in self._children]

    async def run(self, spec: str, payload: bytes, seconds: float, trace: str | None) -> bytes:
        """Run a program in the next idle process.

        Raises:
            CallFailed: There is no output; see `ChildProcess.call`.
        """
        clock = asyncio.get_running_loop().time
        ends_at = clock() + seconds
        while True:
            child = await self._take(ends_at - clock())
            try:
                return await child.call(spec, payload, ends_at - clock(), trace)
            except ChildGone:
                continue
            finally:
                self._release(child)

    async def close(self) -> None:
        """Kill every process and wait for their ends."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(child.close() for child in self._children))
        self._children.clear()

    async def _take(self, seconds: float) -> ChildProcess:
        try:
            async with asyncio.timeout(seconds):
                while not (child := await self._idle.get()).usable:
                    pass  # it died while it was idle; its keeper replaces it
                return child
        except TimeoutError:
            raise DeadlineExceeded("no process became free in time", executed="no") from None

    async def _keep(self, child: ChildProcess) -> None:
        """Replace one process, and its replacements, for ever."""
        while True:
            self._drop_dead()
            self._idle.put_nowait(child)
            code = await child.ended()
            self._children.discard(child)
            self.ends[code] += 1
            self._log.warning("worker.process-ended", pid=child.pid, status=code)
            child = await self._replacement()
            self._children.add(child)

    def _release(self, child: ChildProcess) -> None:
        """Let a process have the next call, when the import has ended that it may still be busy with."""
        if child.loading is not None:
            child.loading.add_done_callback(lambda _: self._release(child))
        elif child.usable:
            self._idle.put_nowait(child)

    def _drop_dead(self) -> None:
        for _ in range(self._idle.qsize()):
            child = self._idle.get_nowait()
            if child.usable:
                self._idle.put_nowait(child)

    async def _replacement(self) -> ChildProcess:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await ChildProcess.start(self._settings)
            except ProcessesDidNotStart as failure:
                self._log.error("worker.process-not-started", reason=failure.reason, retry_in_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
