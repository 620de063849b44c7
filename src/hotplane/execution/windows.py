"""Sliding windows over a task's newest executions, for thresholds. Imports only `estimates`.

Each keeps at most so many values, none older than so many seconds. Instants are seconds of one monotonic clock.
Neither is safe for threads.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable
from math import ceil
from typing import Generic, TypeVar

from hotplane.execution.estimates import Estimate, Picks, estimate

__all__ = ["LatencyWindow", "VerdictWindow"]

T = TypeVar("T")

_UNIT = 2**32
"""Weights are counted in parts of this size."""
_ROUNDING = 1e-9
"""95 % of 20 are 19, also where the product is a little more."""


class _Window(Generic[T]):
    """The newest values, with what leaves handed to `forget`, oldest first."""

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


class _Sums:
    """Running sums in whole numbers, because sums of fractions that come and go would drift."""

    __slots__ = ("count", "squares", "weight")

    def __init__(self) -> None:
        self.count = self.weight = self.squares = 0

    def add(self, weight: int, sign: int) -> None:
        self.count += sign
        self.weight += sign * weight
        self.squares += sign * weight * weight

    def picks(self, heaviest: int) -> Picks:
        return Picks(self.count, self.weight / _UNIT, self.squares / _UNIT**2, heaviest / _UNIT if self.count else 0.0)


class VerdictWindow:
    """Verdicts on picks; each costs the same, however many there are and however many probabilities.

    Args:
        size: The most verdicts.
        seconds: How long a verdict counts.
    """

    __slots__ = ("_failed", "_heaviest", "_passed", "_window")

    def __init__(self, size: int, seconds: float) -> None:
        self._failed = _Sums()
        self._passed = _Sums()
        self._heaviest: deque[int] = deque()
        """Every weight that none behind it exceeds, so that the first is the largest of the window."""
        self._window: _Window[tuple[int, bool]] = _Window(size, seconds, self._forget)

    @property
    def volume(self) -> int:
        """How many verdicts there are."""
        return len(self._window)

    def add(self, probability: float, valid: bool, now: float) -> None:
        """Take a verdict in, on an execution that was picked with a probability above 0."""
        weight = round(_UNIT / probability)
        (self._passed if valid else self._failed).add(weight, 1)
        while self._heaviest and self._heaviest[-1] < weight:
            self._heaviest.pop()
        self._heaviest.append(weight)
        self._window.add((weight, valid), now)

    def accuracy(self, confidence: float) -> Estimate:
        """Return the accuracy of the process that these verdicts are a sample of; there has to be one at least."""
        # The largest weight matters only where all verdicts agree, and then it is that of the one kind there is.
        heaviest = self._heaviest[0]
        failed, passed = self._failed.picks(heaviest), self._passed.picks(heaviest)
        return estimate(failed, passed, confidence=confidence, finite=False).complement()

    def _forget(self, verdict: tuple[int, bool]) -> None:
        weight, valid = verdict
        (self._passed if valid else self._failed).add(weight, -1)
        if self._heaviest[0] == weight:
            self._heaviest.popleft()


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
