"""Sliding windows over a task's newest executions, for thresholds. Imports only `estimates`.

Each keeps at most so many values, none older than so many seconds. Instants are seconds of one monotonic clock.
Neither is safe for threads.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, deque
from collections.abc import Callable
from math import ceil
from typing import Generic, TypeVar

from hotplane.execution.estimates import Estimate, Picks, estimate

__all__ = ["LatencyWindow", "VerdictWindow"]

T = TypeVar("T")

_ROUNDING = 1e-9
"""95 % of 20 are 19, also where the product is a little more."""


class _Window(Generic[T]):
    """The newest values, with what leaves handed to `forget`."""

    __slots__ = ("_forget", "_seconds", "_size", "_values")

    def __init__(self, size: int, seconds: float, forget: Callable[[T], None]) -> None:
        self._size = size
        self._seconds = seconds
        self._forget = forget
        self._values: deque[tuple[float, T]] = deque()

    def __len__(self) -> int:
        return len(self._values)

    def add(self, value: T, now: float) -> None:
        """Take a value in, and let go of what is too old or too much."""
        values = self._values
        values.append((now, value))
        while len(values) > self._size or now - values[0][0] > self._seconds:
            self._forget(values.popleft()[1])


class VerdictWindow:
    """Verdicts on picks.

    The picks are counted by probability, in whole numbers: rates change seldom, and sums of fractions that come and go
    would drift.

    Args:
        size: The most verdicts.
        seconds: How long a verdict counts.
    """

    __slots__ = ("_counts", "_window")

    def __init__(self, size: int, seconds: float) -> None:
        self._counts: Counter[tuple[float, bool]] = Counter()
        self._window: _Window[tuple[float, bool]] = _Window(size, seconds, self._forget)

    @property
    def volume(self) -> int:
        """How many verdicts there are."""
        return len(self._window)

    def add(self, probability: float, valid: bool, now: float) -> None:
        """Take a verdict in, on an execution that was picked with a probability above 0."""
        self._counts[probability, valid] += 1
        self._window.add((probability, valid), now)

    def accuracy(self, confidence: float) -> Estimate:
        """Return the accuracy of the process that these verdicts are a sample of; there has to be one at least."""
        passed, failed = self._picks(valid=True), self._picks(valid=False)
        return estimate(failed, passed, confidence=confidence, finite=False).complement()

    def _picks(self, *, valid: bool) -> Picks:
        found = (Picks.of(count, probability) for (probability, good), count in self._counts.items() if good is valid)
        return sum(found, start=Picks())

    def _forget(self, verdict: tuple[float, bool]) -> None:
        self._counts[verdict] -= 1
        if not self._counts[verdict]:
            del self._counts[verdict]


class LatencyWindow:
    """Latencies, kept in order.

    Args:
        size: The most latencies.
        seconds: How long a latency counts.
    """

    __slots__ = ("_ordered", "_window")

    def __init__(self, size: int, seconds: float) -> None:
        self._ordered: list[float] = []
        self._window: _Window[float] = _Window(size, seconds, self._forget)

    @property
    def volume(self) -> int:
        """How many latencies there are."""
        return len(self._window)

    def add(self, latency_ms: float, now: float) -> None:
        """Take a latency in."""
        insort(self._ordered, latency_ms)
        self._window.add(latency_ms, now)

    def percentile(self, share: float) -> float:
        """Return the latency in milliseconds that this share does not exceed (nearest rank)."""
        return self._ordered[max(1, ceil(share * len(self._ordered) - _ROUNDING)) - 1]

    def _forget(self, latency_ms: float) -> None:
        del self._ordered[bisect_left(self._ordered, latency_ms)]
