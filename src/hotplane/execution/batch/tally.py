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
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._samples: deque[tuple[float, int]] = deque(maxlen=_SAMPLES)
        self.done = 0

    def add(self, status: ExecutionStatus, count: int = 1, *, sampled: bool = False, valid: bool | None = None) -> None:
        """Count results with one status."""
        now = self._clock()
        if not self._samples or now - self._samples[-1][0] >= _INTERVAL:
            self._samples.append((now, self.done))
        self.done += count
        self._counts[_FIELDS[status]] += count
        if sampled:
            self._counts["sampled"] += 1
        if valid is not None:
            self._counts["valid" if valid else "invalid"] += 1

    def correct(self, totals: BatchTotals) -> None:
        """Take over what stands in the ledger."""
        self._counts = Counter({_FIELDS[ExecutionStatus(status)]: each for status, each in totals.by_status.items()})
        self._counts.update(sampled=totals.sampled, valid=totals.valid, invalid=totals.invalid)
        self.done = sum(totals.by_status.values())

    def counts(self) -> BatchCounts:
        """Return the counts."""
        return BatchCounts(**self._counts)

    def rate(self) -> float | None:
        """Return the results per second lately; None before there are enough."""
        if not self._samples:
            return None
        since, done = self._samples[0]
        seconds = self._clock() - since
        return (self.done - done) / seconds if seconds >= _INTERVAL else None
