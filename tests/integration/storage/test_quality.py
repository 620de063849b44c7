"""Counting executions for estimates, on both kinds of database, against a plain count in memory."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from hotplane.errors import Invalid
from hotplane.execution.quality import NO_EXECUTIONS, QualityReport, report_quality
from hotplane.records import Execution, ExecutionStatus, SamplingDecision
from hotplane.storage import Store

Make = Callable[..., Execution]

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def decision(probability: float | None, *, picked: bool = False, sampled: bool = False) -> SamplingDecision:
    """Return a decision of the designated sampler."""
    return SamplingDecision(sampled=sampled or picked, probability=probability, probability_sampled=picked)


async def store_all(store: Store, executions: Sequence[Execution]) -> None:
    """Record them, as many at a time as the store takes."""
    await asyncio.gather(*(store.record(each) for each in executions))


def some_executions(make: Make, count: int) -> list[Execution]:
    """Return executions of three hours, of every sort, the same every time."""
    random = Random(7)
    found: list[Execution] = []
    for _ in range(count):
        probability = random.choice([None, 0.0, 0.1, 0.5, 1.0])
        picked = bool(probability) and random.random() < 0.5
        sampling = (
            None if random.random() < 0.1 else decision(probability, picked=picked, sampled=random.random() < 0.2)
        )
        found.append(
            make(
                started_at=NOON + timedelta(seconds=random.randrange(3 * 3600)),
                sampling=sampling,
                valid=random.choice([True, False, None]) if sampling and sampling.sampled else None,
                latency_ms=random.randrange(1, 1_000),
                status=random.choice(list(ExecutionStatus)),
            )
        )
    return found


def check(found: object, executions: Sequence[Execution]) -> None:
    """Compare one report with a count of its executions by hand."""
    picks = [e for e in executions if e.sampling and e.sampling.probability and e.sampling.probability_sampled]
    judged = [e for e in picks if e.valid is not None]
    others = [e for e in executions if e.sampling and e.sampling.sampled and not e.sampling.probability_sampled]
    ran = sorted(e.latency_ms for e in executions if e.status in {"success", "error", "timeout"})
    assert isinstance(found, QualityReport) or hasattr(found, "start")
    figures = {name: getattr(found, name) for name in ("executions", "covered", "picked", "judged", "failures")}
    assert figures == {
        "executions": len(executions),
        "covered": sum(bool(e.sampling and e.sampling.probability) for e in executions),
        "picked": len(picks),
        "judged": len(judged),
        "failures": sum(not e.valid for e in judged),
    }
    otherwise = getattr(found, "sampled_otherwise")  # noqa: B009 - of either kind of report
    assert (otherwise.sampled, otherwise.failures) == (len(others), sum(e.valid is False for e in others))
    weights = {id(e): 1 / e.sampling.probability for e in judged if e.sampling and e.sampling.probability}
    rate = sum(weights[id(e)] for e in judged if not e.valid) / sum(weights.values())
    assert getattr(found, "failure_rate").value == pytest.approx(rate)  # noqa: B009
    latency = getattr(found, "latency")  # noqa: B009
    assert latency.count == len(ran)
    for share, value in ((0.5, latency.p50_ms), (0.95, latency.p95_ms), (0.99, latency.p99_ms), (1, latency.max_ms)):
        assert value == ran[math.ceil(share * len(ran)) - 1]


async def test_counts_are_those_of_the_records(store: Store, execution: Make) -> None:
    """The whole range and every hour agree with a count in memory; other tasks do not mix in."""
    made = some_executions(execution, 600)
    await store_all(store, [*made, execution(task_id="other", started_at=NOON, sampling=decision(1.0, picked=True))])
    report = report_quality("spam", await store.count_quality("spam", bucket=HOUR), bucket=HOUR)
    check(report, made)
    hours: defaultdict[datetime, list[Execution]] = defaultdict(list)
    for each in made:
        hours[each.started_at.replace(minute=0, second=0)].append(each)
    assert [bucket.start for bucket in report.buckets] == [NOON, NOON + HOUR, NOON + 2 * HOUR]
    for bucket in report.buckets:
        assert bucket.end == bucket.start + HOUR
        check(bucket, hours[bucket.start])


async def test_a_range_has_its_begin_and_not_its_end(store: Store, execution: Make) -> None:
    """Only executions within it count, and the first and last bucket are cut to it."""
    made = some_executions(execution, 600)
    since, until = NOON + timedelta(minutes=30), NOON + timedelta(minutes=90)
    await store_all(store, [*made, execution(started_at=since), execution(started_at=until)])
    counts = await store.count_quality("spam", since, until, bucket=HOUR)
    report = report_quality("spam", counts, since=since, until=until, bucket=HOUR)
    within = sum(since <= each.started_at < until for each in made) + 1
    assert report.executions == sum(bucket.executions for bucket in report.buckets) == within
    assert [(bucket.start, bucket.end) for bucket in report.buckets] == [(since, NOON + HOUR), (NOON + HOUR, until)]


async def test_buckets_without_executions_are_there(store: Store, execution: Make) -> None:
    """A quiet hour has counts of 0, no estimate, and the reason."""
    await store_all(store, [execution(started_at=NOON), execution(started_at=NOON + 2 * HOUR)])
    report = report_quality("spam", await store.count_quality("spam", bucket=HOUR), bucket=HOUR)
    assert [bucket.executions for bucket in report.buckets] == [1, 0, 1]
    quiet = report.buckets[1]
    assert (quiet.failure_rate, quiet.accuracy, quiet.latency, quiet.reason) == (None, None, None, NO_EXECUTIONS)


@pytest.mark.parametrize("since", [None, NOON])
@pytest.mark.parametrize("until", [None, NOON + HOUR])
async def test_an_empty_store_has_no_estimate(store: Store, since: datetime | None, until: datetime | None) -> None:
    """Counts of 0 whatever the range, and no error."""
    counts = await store.count_quality("nobody", since, until, bucket=HOUR)
    report = report_quality("nobody", counts, since=since, until=until, bucket=HOUR)
    assert (report.executions, report.failure_rate, report.latency) == (0, None, None)
    assert sum(bucket.executions for bucket in report.buckets) == 0


@pytest.mark.parametrize("probability", [1e-300, 2.0, math.inf])
async def test_a_probability_that_is_none_breaks_nothing(store: Store, execution: Make, probability: float) -> None:
    """A sampler of one's own may report nonsense: such picks are shown among the others."""
    await store.record(execution(sampling=decision(probability, picked=True), valid=False))
    report = report_quality("spam", await store.count_quality("spam"))
    assert (report.covered, report.picked, report.sampled_otherwise.failures) == (0, 0, 1)


async def test_500_buckets_are_the_most(store: Store, execution: Make) -> None:
    """More are refused, whether the range was given or is that of the executions."""
    second = timedelta(seconds=1)
    most = await store.count_quality("spam", NOON, NOON + 500 * second, bucket=second)
    assert len(most.bounds) == 501
    with pytest.raises(Invalid, match="501 buckets"):
        await store.count_quality("spam", NOON, NOON + 500.5 * second, bucket=second)
    await store_all(store, [execution(started_at=NOON), execution(started_at=NOON + 500 * second)])
    with pytest.raises(Invalid, match="501 buckets"):
        await store.count_quality("spam", bucket=second)


async def test_the_calendars_ends_are_no_obstacle(store: Store) -> None:
    """Buckets that begin before the first year or end after the last are cut to the range."""
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    week = timedelta(days=300_000)
    counts = await store.count_quality("spam", first, last, bucket=week)
    report = report_quality("spam", counts, since=first, until=last, bucket=week)
    assert (report.buckets[0].start, report.buckets[-1].end) == (first, last)


async def test_a_range_that_ends_before_it_begins_is_refused(store: Store) -> None:
    """Likewise a bucket without length."""
    with pytest.raises(Invalid, match="ends before"):
        await store.count_quality("spam", NOON, NOON - HOUR)
    with pytest.raises(Invalid, match="longer than nothing"):
        await store.count_quality("spam", NOON, NOON + HOUR, bucket=timedelta(0))
