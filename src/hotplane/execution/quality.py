"""A task's quality over time: what was counted, and what that says about everything.

Imports only `storage`'s counts and its own room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from msgspec.structs import asdict

from hotplane.execution.estimates import CONFIDENCE, Estimate, Picks, estimate_all
from hotplane.storage.quality import Group, Latencies, QualityCounts
from hotplane.storage.tables import microseconds

__all__ = ["Quality", "QualityBucket", "QualityReport", "SampledOtherwise", "report_quality"]

NO_EXECUTIONS = "there are no executions in this range"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SampledOtherwise(Struct, frozen=True, kw_only=True):
    """Executions that were sampled for another reason than the designated sampler's pick: shown, not extrapolated."""

    sampled: int
    failures: int
    not_judged: int


class Quality(Struct, frozen=True, kw_only=True):
    """What is known of some executions, and what is estimated of them."""

    executions: int
    """All of them, those that were rejected or cut short included."""
    covered: int
    """Those that the designated sampler decided on, with a probability above 0: what the estimates are about."""
    picked: int
    """Those of them that it picked."""
    judged: int
    """Picks with a verdict."""
    failures: int
    """Picks that validators found wrong."""
    not_judged: int
    """Picks without a verdict."""
    sampled_otherwise: SampledOtherwise
    failure_rate: Estimate | None
    """Share of the covered executions that are wrong; null where nothing was judged."""
    accuracy: Estimate | None
    """1 - failure rate."""
    best_case: Estimate | None
    """The failure rate if all that could not be judged was right."""
    worst_case: Estimate | None
    """The failure rate if all that could not be judged was wrong."""
    effective_size: float | None
    """How many equally probable picks would say as much."""
    reason: str | None
    """Why there is no failure rate; null when there is one."""
    latency: Latencies | None
    """Null where nothing ran."""


class QualityBucket(Quality, frozen=True, kw_only=True):
    """The executions that started in one stretch of time."""

    start: datetime
    """Included."""
    end: datetime
    """Excluded."""


class QualityReport(Quality, frozen=True, kw_only=True):
    """The quality of a task's executions in a range of time, as a whole and in buckets."""

    task_id: str
    since: datetime | None
    """Null: from the oldest."""
    until: datetime | None
    """Null: to the newest."""
    confidence: float
    """The share of intervals that hold the true rate."""
    bucket_seconds: float | None
    buckets: tuple[QualityBucket, ...] = ()
    """In order and without gaps; the first and the last are cut to the range."""


def report_quality(
    task_id: str,
    counts: QualityCounts,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    bucket: timedelta | None = None,
    confidence: float = CONFIDENCE,
) -> QualityReport:
    """Return what counted executions say; the arguments are those that they were counted with.

    Raises:
        Invalid: The confidence is not between 0 and 1.
    """
    by_bucket: dict[int, list[Group]] = {}
    for group in counts.groups:
        by_bucket.setdefault(group.bucket, []).append(group)
    starts = [_instant(bound, since, until) for bound in counts.bounds]
    return QualityReport(
        **asdict(_quality(counts.groups, counts.latency, confidence)),
        task_id=task_id,
        since=since,
        until=until,
        confidence=confidence,
        bucket_seconds=None if bucket is None else bucket.total_seconds(),
        buckets=tuple(
            QualityBucket(
                **asdict(_quality(by_bucket.get(number, ()), counts.latencies.get(number), confidence)),
                start=starts[number],
                end=starts[number + 1],
            )
            for number in range(len(starts) - 1)
        ),
    )


def _quality(groups: Iterable[Group], latency: Latencies | None, confidence: float) -> Quality:
    tally = _Tally(groups)
    found = estimate_all(tally.failed, tally.passed, tally.unjudged, population=tally.covered, confidence=confidence)
    return Quality(
        executions=tally.executions,
        covered=tally.covered,
        picked=tally.failed.count + tally.passed.count + tally.unjudged.count,
        judged=tally.failed.count + tally.passed.count,
        failures=tally.failed.count,
        not_judged=tally.unjudged.count,
        sampled_otherwise=SampledOtherwise(
            sampled=sum(tally.others.values()), failures=tally.others[False], not_judged=tally.others[None]
        ),
        failure_rate=found.failure_rate,
        accuracy=found.failure_rate.complement() if found.failure_rate else None,
        best_case=found.best_case,
        worst_case=found.worst_case,
        effective_size=found.effective_size,
        reason=found.reason if tally.executions else NO_EXECUTIONS,
        latency=latency,
    )


class _Tally:
    """Groups, summed up by what they say."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self.executions = self.covered = 0
        self.failed = self.passed = self.unjudged = Picks()
        self.others: Counter[bool | None] = Counter()
        for group in groups:
            self.executions += group.count
            if group.covered:
                self.covered += group.count
            if group.covered and group.picked:
                self._add(group.valid, Picks(group.count, group.weight, group.squares, group.heaviest))
            elif group.sampled:
                self.others[group.valid] += group.count

    def _add(self, valid: bool | None, picks: Picks) -> None:
        if valid is None:
            self.unjudged += picks
        elif valid:
            self.passed += picks
        else:
            self.failed += picks


def _instant(number: int, since: datetime | None, until: datetime | None) -> datetime:
    """Return an instant, kept within the range: beyond that there may be no calendar."""
    if since is not None and number <= microseconds(since):
        return since
    if until is not None and number >= microseconds(until):
        return until
    return _EPOCH + timedelta(microseconds=number)
