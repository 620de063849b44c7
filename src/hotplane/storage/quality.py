"""What estimates are made from: groups of executions, counted by the database.

Imports only `readers`, `tables` and `errors`.

What comes back is as short as the buckets are few, however many executions there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Subquery,
    and_,
    case,
    func,
    literal,
    null,
    or_,
    select,
)

from hotplane.errors import Invalid
from hotplane.storage.readers import Readers
from hotplane.storage.tables import executions, microseconds

__all__ = ["MAX_BUCKETS", "Group", "Latencies", "QualityCounts", "count_quality"]

MAX_BUCKETS = 500
"""The most buckets of one answer."""

_LEAST_PROBABILITY = 2.0**-56
"""Sampling points have 56 bits: a lower probability never picks anything."""
_RAN = ("success", "error", "timeout")
"""How executions ended whose latency is the runner's."""


class Group(Struct, frozen=True):
    """Executions of one bucket that are alike."""

    bucket: int
    covered: bool
    """Whether the designated sampler decided on them, with a probability above 0."""
    picked: bool
    """Whether it picked them."""
    sampled: bool
    """Whether any sampler did."""
    valid: bool | None
    count: int
    weight: float
    """The sum of 1/p over those that are covered and picked; 0 for others, as are the next two."""
    squares: float
    """The sum of 1/p²."""
    heaviest: float
    """The largest 1/p."""


class Latencies(Struct, frozen=True, kw_only=True):
    """How long executions took, in milliseconds, as nearest ranks; only of those that ran to their end or deadline."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class QualityCounts(Struct, frozen=True, kw_only=True):
    """The groups of a range of time."""

    groups: tuple[Group, ...]
    latencies: dict[int, Latencies]
    """By bucket; a bucket where nothing ran has none."""
    latency: Latencies | None
    """Of the whole range."""
    bounds: tuple[int, ...] = ()
    """Where buckets begin, in microseconds since 1970, and where the last one ends; empty without buckets."""


async def count_quality(
    readers: Readers, task_id: str, since: datetime | None, until: datetime | None, bucket: timedelta | None
) -> QualityCounts:
    """Count the executions of a task that started within a range, in groups.

    Args:
        readers: Where to read.
        task_id: The task.
        since: Aware; this instant included; None for the oldest execution.
        until: Aware; this instant excluded; None for the newest execution, included.
        bucket: Length of a bucket; buckets begin at multiples of it since 1970 in UTC. None for no buckets.

    Raises:
        Invalid: The range ends before it begins, or has more than 500 buckets.
    """
    begin, end = None if since is None else microseconds(since), None if until is None else microseconds(until)
    if begin is not None and end is not None and end < begin:
        raise Invalid("The range ends before it begins.")
    bounds: tuple[int, ...] = ()
    if bucket is not None:
        begin, end = await readers.run(partial(_closed, task_id=task_id, begin=begin, end=end))
        bounds = _bounds(begin, end, bucket // timedelta(microseconds=1))
    return await readers.run(partial(_count, task_id=task_id, begin=begin, end=end, bounds=bounds))


def _closed(connection: Connection, task_id: str, begin: int | None, end: int | None) -> tuple[int, int]:
    """Return the ends of a range, open ones as far as there are executions; the same twice when there are none."""
    if begin is not None and end is not None:
        return begin, end
    started_at = executions.c.started_at
    query = select(func.min(started_at), func.max(started_at)).where(*_conditions(task_id, begin, end))
    first, last = connection.execute(query).one()
    if first is None:
        nowhere = begin or end or 0
        return nowhere, nowhere
    return first if begin is None else begin, last + 1 if end is None else end


def _count(
    connection: Connection, task_id: str, begin: int | None, end: int | None, bounds: tuple[int, ...]
) -> QualityCounts:
    chosen = and_(*_conditions(task_id, begin, end))
    return QualityCounts(
        groups=_groups(connection, chosen, bounds),
        latencies=_latencies(connection, chosen, bounds) if bounds else {},
        latency=_latencies(connection, chosen, ()).get(0),
        bounds=bounds,
    )


def _bounds(begin: int, end: int, width: int) -> tuple[int, ...]:
    if width <= 0:
        raise Invalid("A bucket is longer than nothing.")
    first = begin // width
    last = -(-end // width)
    if last - first > MAX_BUCKETS:
        raise Invalid(
            f"These are {last - first} buckets, and an answer has {MAX_BUCKETS} at most. "
            "Ask for a shorter range or longer buckets."
        )
    return tuple(number * width for number in range(first, last + 1)) if end > begin else ()


def _conditions(task_id: str, begin: int | None, end: int | None) -> Sequence[ColumnElement[bool]]:
    columns = executions.c
    conditions = [columns.task_id == task_id]
    if begin is not None:
        conditions.append(columns.started_at >= begin)
    if end is not None:
        conditions.append(columns.started_at < end)
    return conditions


def _bucket(bounds: Sequence[int]) -> ColumnElement[int]:
    if not bounds:
        return literal(0)
    width = bounds[1] - bounds[0]
    return (executions.c.started_at - literal(bounds[0], BigInteger)) // literal(width, BigInteger)


def _groups(connection: Connection, chosen: ColumnElement[bool], bounds: Sequence[int]) -> tuple[Group, ...]:
    columns = executions.c
    # PostgreSQL does not see that an expression with parameters is the same in two places: it is computed once, inside.
    covered = columns.probability.between(_LEAST_PROBABILITY, 1.0)
    weight = case((and_(covered, columns.picked), 1.0 / columns.probability), else_=null())
    rows = (
        select(
            _bucket(bounds).label("bucket"),
            case((covered, 1), else_=0).label("covered"),
            columns.picked,
            columns.sampled,
            columns.valid,
            weight.label("weight"),
        )
        .where(chosen)
        .subquery()
    )
    row = rows.c
    keys = (row.bucket, row.covered, row.picked, row.sampled, row.valid)
    sums = (func.count(), func.sum(row.weight), func.sum(row.weight * row.weight), func.max(row.weight))
    found = connection.execute(select(*keys, *sums).group_by(*keys).order_by(row.bucket))
    return tuple(
        Group(bucket, bool(covered), picked, sampled, valid, count, weight or 0.0, squares or 0.0, heaviest or 0.0)
        for bucket, covered, picked, sampled, valid, count, weight, squares, heaviest in found
    )


def _latencies(connection: Connection, chosen: ColumnElement[bool], bounds: Sequence[int]) -> dict[int, Latencies]:
    row = _ranked(chosen, _bucket(bounds)).c
    # The nearest rank of a percentile is its share of the count, rounded up.
    wanted = [row.rank == (row.volume * percent + 99) // 100 for percent in (50, 95, 99, 100)]
    query = select(row.bucket, row.volume, row.rank, row.latency).where(or_(*wanted))
    by_bucket: dict[int, tuple[int, dict[int, float]]] = {}
    for bucket, volume, rank, latency in connection.execute(query):
        by_bucket.setdefault(bucket, (volume, {}))[1][rank] = latency / 1_000
    return {bucket: _percentiles(volume, ranks) for bucket, (volume, ranks) in by_bucket.items()}


def _ranked(chosen: ColumnElement[bool], bucket: ColumnElement[int]) -> Subquery:
    columns = executions.c
    rows = select(bucket.label("bucket"), columns.latency).where(chosen, columns.status.in_(_RAN)).subquery()
    return select(
        rows.c.bucket,
        rows.c.latency,
        func.row_number().over(partition_by=rows.c.bucket, order_by=rows.c.latency).label("rank"),
        func.count().over(partition_by=rows.c.bucket).label("volume"),
    ).subquery()


def _percentiles(volume: int, ranks: dict[int, float]) -> Latencies:
    p50, p95, p99, highest = (ranks[(volume * percent + 99) // 100] for percent in (50, 95, 99, 100))
    return Latencies(count=volume, p50_ms=p50, p95_ms=p95, p99_ms=p99, max_ms=highest)
