"""Counts a batch's results, and how fast they come. Imports `records` of this room, `storage` and `records`."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

from hotplane.execution.batch.records import BatchCounts
from hotplane.records import ExecutionStatus
from hotplane.storage import BatchTotals

__all__ = ["Tally"]

_FIELDS = {
    ExecutionStatus.SUCCESS: "succeeded",
    ExecutionStatus.ERROR: "failed",
    ExecutionStatus.TIMEOUT: "timed_out",
    ExecutionStatus.CANCELLED: "cancelled",
    ExecutionStatus.REJECTED: "rejected",
    ExecutionStatus.INTERRUPTED: "interrupted",
}
_INTERVAL = 0.25
"""Seconds between two samples of the speed."""
_SAMPLES = 40
"""Samples that are kept: the speed is that of the last ten seconds."""


class Tally:
    """The counts of one batch.

    Args:
        clock: Seconds that pass steadily.
        results: Where results are counted besides, by status.
    """

    def __init__(self, clock: Callable[[], float], results: Counter[ExecutionStatus] | None = None) -> None:
        self._clock = clock
        self._results = Counter[ExecutionStatus]() if results is None else results
        self._counts: Counter[str] = Counter()
        self._samples: deque[tuple[float, int]] = deque(maxlen=_SAMPLES)
        self._ran = 0
        self._stood = 0.0
        self._stands_since: float | None = None
        self.done = 0
        self.swept = 0
        """Results of items that were cancelled before they ran."""

    def add(self, status: ExecutionStatus, count: int = 1, *, sampled: bool = False, valid: bool | None = None) -> None:
        """Count results of items that ran, or were rejected before, with one status."""
        now = self._now()
        if not self._samples or now - self._samples[-1][0] >= _INTERVAL:
            self._samples.append((now, self._ran))
        self._ran += count
        self._count(status, count)
        if sampled:
            self._counts["sampled"] += 1
        if valid is not None:
            self._counts["valid" if valid else "invalid"] += 1

    def close(self, status: ExecutionStatus, count: int) -> None:
        """Count results that were given to items without running them now: they say nothing about the speed."""
        self._count(status, count)
        if status is ExecutionStatus.CANCELLED:
            self.swept += count

    def correct(self, totals: BatchTotals) -> None:
        """Count what stands in the ledger, which also has what ended without being counted: what was cancelled."""
        before = self._counts
        self.take_over(totals)
        for status, field in _FIELDS.items():
            self._results[status] += max(0, self._counts[field] - before[field])

    def take_over(self, totals: BatchTotals) -> None:
        """Begin with what stands in the ledger, as others left it."""
        self._counts = Counter({_FIELDS[ExecutionStatus(status)]: each for status, each in totals.by_status.items()})
        self._counts.update(sampled=totals.sampled, valid=totals.valid, invalid=totals.invalid)
        self.done = sum(totals.by_status.values())

    def counts(self) -> BatchCounts:
        """Return the counts."""
        return BatchCounts(**self._counts)

    def rate(self) -> float | None:
        """Return the results per second lately, pauses left out; None before there are enough."""
        if not self._samples:
            return None
        since, ran = self._samples[0]
        seconds = self._now() - since
        return (self._ran - ran) / seconds if seconds >= _INTERVAL else None

    def stand(self) -> None:
        """Let no time pass for the speed until `go_on`: the batch is paused."""
        if self._stands_since is None:
            self._stands_since = self._clock()

    def go_on(self) -> None:
        """Let time pass again."""
        if self._stands_since is not None:
            self._stood += self._clock() - self._stands_since
            self._stands_since = None

    def _now(self) -> float:
        return (self._clock() if self._stands_since is None else self._stands_since) - self._stood

    def _count(self, status: ExecutionStatus, count: int) -> None:
        self.done += count
        self._counts[_FIELDS[status]] += count
        self._results[status] += count
