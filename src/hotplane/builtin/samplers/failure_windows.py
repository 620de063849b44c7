"""How many of the newest executions failed, by count and by time. Imports nothing of Hotplane."""

from __future__ import annotations

from collections import deque
from typing import Protocol

__all__ = ["CountWindow", "FailureWindow", "TimeWindow"]

_BUCKETS = 30
"""A result leaves a time window with its bucket, so up to this part of the window early."""


class FailureWindow(Protocol):
    """Totals over the newest results."""

    @property
    def calls(self) -> int:
        """How many results there are."""
        ...

    @property
    def failures(self) -> int:
        """How many of them failed."""
        ...

    def add(self, failed: bool, now: float) -> None:
        """Record a result at `now` seconds, and forget what is too old."""
        ...


class CountWindow:
    """The last `size` results, a byte each."""

    __slots__ = ("_next", "_results", "_size", "failures")

    def __init__(self, size: int) -> None:
        self._size = size
        self._results = bytearray()
        self._next = 0
        self.failures = 0

    @property
    def calls(self) -> int:
        """How many results there are."""
        return len(self._results)

    def add(self, failed: bool, now: float) -> None:  # noqa: ARG002 - both windows are called alike
        """Record a result in place of the oldest one."""
        self.failures += failed
        if len(self._results) < self._size:
            self._results.append(failed)
            return
        self.failures -= self._results[self._next]
        self._results[self._next] = failed
        self._next = (self._next + 1) % self._size


class TimeWindow:
    """The results of the last `seconds`, in thirty buckets."""

    __slots__ = ("_buckets", "_width", "calls", "failures")

    def __init__(self, seconds: float) -> None:
        self._width = seconds / _BUCKETS
        self._buckets: deque[list[int]] = deque()
        """Number of the bucket, calls and failures; only buckets with results."""
        self.calls = 0
        self.failures = 0

    def add(self, failed: bool, now: float) -> None:
        """Record a result in the bucket of `now`."""
        number = int(now // self._width)
        while self._buckets and self._buckets[0][0] <= number - _BUCKETS:
            _, calls, failures = self._buckets.popleft()
            self.calls -= calls
            self.failures -= failures
        if not self._buckets or self._buckets[-1][0] < number:
            self._buckets.append([number, 0, 0])
        self._buckets[-1][1] += 1
        self._buckets[-1][2] += failed
        self.calls += 1
        self.failures += failed
