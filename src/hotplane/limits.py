"""Time limits: of many calls with one timer for all, and of what ends by itself. Imports nothing of Hotplane."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from math import inf
from threading import local
from types import TracebackType
from typing import Any, Self

__all__ = ["TimeLimit", "left_of"]

_RESOLUTION = 0.001
"""Event loops keep time in milliseconds, and may wake this much too early."""
_LOOK_SECONDS = 0.05
_LONGEST_LOOK_SECONDS = 0.075
"""A busy loop is late for a look by some of this; by more it was not the tasks that took so long."""


class TimeLimit:
    """``with TimeLimit(seconds):`` ends a block that takes longer, as `asyncio.timeout` does, for a third of its price.

    Nearly every limit is taken back before it is over. One timer waits for the earliest limit of the event loop; a
    further one is only noted. When the timer is due, it cancels whose time is over and waits for the next.

    Args:
        seconds: How long the block may take.

    Raises:
        TimeoutError: The time was over; the block was cancelled.
    """

    __slots__ = ("_asked", "_pending", "_seconds", "_task", "ends_at", "expired")

    _task: asyncio.Task[object]
    _asked: int
    _pending: _Pending

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.ends_at = inf
        """When the time is over, in the loop's time; nobody knows before the block begins."""
        self.expired = False
        """Whether it was over before the block ended."""

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a time limit holds in a task alone")
        self._task = task
        self._asked = task.cancelling()
        self._pending = _pending_of(loop)
        self.ends_at = loop.time() + self._seconds
        self._pending.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pending.remove(self)
        # A cancellation that others asked for goes on its way, also when it came together with this one.
        if self.expired and self._task.uncancel() <= self._asked and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """Cancel the block."""
        self.expired = True
        self._task.cancel()


class _Pending:
    """The limits that hold in one event loop now."""

    __slots__ = ("_due", "_limits", "_timer", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._limits: dict[TimeLimit, None] = {}
        self._due = 0.0
        self._timer: asyncio.Handle | None = None

    def add(self, limit: TimeLimit) -> None:
        self._limits[limit] = None
        if self._timer is None or limit.ends_at < self._due:
            self._wait(limit.ends_at)

    def remove(self, limit: TimeLimit) -> None:
        self._limits.pop(limit, None)

    def _wait(self, until: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = until
        # What is due already comes before everything else that happens in the loop.
        is_due = until <= self.loop.time()
        self._timer = self.loop.call_soon(self._look) if is_due else self.loop.call_at(until, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self.loop.time()
        for limit in [each for each in self._limits if each.ends_at <= now + _RESOLUTION]:
            del self._limits[limit]
            limit.expire()
        if self._limits:
            self._wait(min(each.ends_at for each in self._limits))


class _Here(local):
    pending: _Pending | None = None


_here = _Here()


def _pending_of(loop: asyncio.AbstractEventLoop) -> _Pending:
    """Return those of the loop that runs in this thread."""
    pending = _here.pending
    if pending is None or pending.loop is not loop:
        pending = _here.pending = _Pending(loop)
    return pending


async def left_of(tasks: Collection[asyncio.Task[Any]], seconds: float) -> set[asyncio.Task[Any]]:
    """Wait for tasks, and return those that have not ended after so long.

    The time is waited for in looks: where this process stands still, that uses up one of them and not the whole time,
    so that what would have ended in a moment still does.

    Args:
        tasks: They are not cancelled.
        seconds: How long to wait at most, while the process runs.
    """
    clock = asyncio.get_running_loop().time
    left = {task for task in tasks if not task.done()}
    while left and seconds > 0:
        began = clock()
        _, left = await asyncio.wait(left, timeout=min(seconds, _LOOK_SECONDS))
        seconds -= min(clock() - began, _LONGEST_LOOK_SECONDS)
    return left
