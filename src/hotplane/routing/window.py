"""Sliding windows over the results of calls, by count and by time. Imports nothing of Hotplane.

Both keep running totals, so that a report and a judgement cost the same whatever the window's size (the method
of resilience4j's sliding windows). Neither is safe for threads by itself: the breaker's lock guards them.
"""

from __future__ import annotations

from math import ceil
from typing import Protocol

__all__ = ["FAILED", "SLOW", "CountWindow", "TimeWindow", "Window"]

FAILED = 1
SLOW = 2
"""A result is a sum of these flags; 0 is a quick success. A call can be both."""

_BUCKET_SECONDS = 1.0
_FEWEST_BUCKETS = 10


class Window(Protocol):
    """Totals over the newest results."""

    volume: int
    failures: int
    slow: int

    def add(self, result: int, now: float) -> None:
        """Record a result, a sum of `FAILED` and `SLOW`, at `now` seconds."""
        ...

    def advance(self, now: float) -> None:
        """Forget what is too old at `now`."""
        ...


class CountWindow:
    """The last `size` results."""

    __slots__ = ("_next", "_results", "_size", "failures", "slow", "volume")

    def __init__(self, size: int) -> None:
        self._size = size
        self._results = bytearray(size)
        self._next = 0
        self.volume = 0
        self.failures = 0
        self.slow = 0

    def add(self, result: int, now: float) -> None:  # noqa: ARG002 - both windows are called alike
        """Record a result in place of the oldest one."""
        place = self._next
        if self.volume < self._size:
            self.volume += 1
        elif oldest := self._results[place]:
            self.failures -= oldest & FAILED
            self.slow -= oldest >> 1
        self._results[place] = result
        if result:
            self.failures += result & FAILED
            self.slow += result >> 1
        place += 1
        self._next = 0 if place == self._size else place

    def advance(self, now: float) -> None:
        """Do nothing: results leave this window only when newer ones come."""


class TimeWindow:
    """The results of the last `seconds`, in buckets of one second, or a tenth of the window if that is shorter.

    A result leaves with its whole bucket, so it stays for between `seconds` minus one bucket and `seconds`. When
    the clock goes back, results count for the newest bucket known.
    """

    __slots__ = ("_buckets", "_newest", "_width", "failures", "slow", "volume")

    def __init__(self, seconds: float, now: float) -> None:
        size = max(_FEWEST_BUCKETS, ceil(seconds / _BUCKET_SECONDS))
        self._width = seconds / size
        self._buckets = [[0, 0, 0] for _ in range(size)]
        self._newest = int(now // self._width)
        self.volume = 0
        self.failures = 0
        self.slow = 0

    def add(self, result: int, now: float) -> None:
        """Record a result in the bucket of `now`."""
        if now // self._width > self._newest:
            self.advance(now)
        bucket = self._buckets[self._newest % len(self._buckets)]
        bucket[0] += 1
        self.volume += 1
        if result:
            bucket[1] += result & FAILED
            bucket[2] += result >> 1
            self.failures += result & FAILED
            self.slow += result >> 1

    def advance(self, now: float) -> None:
        """Empty the buckets that are older than the window at `now`."""
        index = int(now // self._width)
        size = len(self._buckets)
        for stale in range(max(self._newest + 1, index - size + 1), index + 1):
            bucket = self._buckets[stale % size]
            self.volume -= bucket[0]
            self.failures -= bucket[1]
            self.slow -= bucket[2]
            bucket[:] = (0, 0, 0)
        self._newest = max(self._newest, index)
