"""What is read from the ledger of batches, as functions of a reading connection. Imports `filters` and `tables`.

As `queries`: each runs in a reader's thread and is short.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Row, Select, case, exists, func, not_, select

from hotplane.storage.filters import Page, encode_cursor
from hotplane.storage.tables import batch_items, batch_results, batch_starts, batches, executions

__all__ = [
    "DELETED",
    "BatchFilter",
    "BatchTotals",
    "StoredBatch",
    "StoredItem",
    "StoredResult",
    "expired",
    "find",
    "has_position",
    "has_result",
    "list_batches",
    "newest_result",
    "oldest_items",
    "oldest_results",
    "open_items",
    "results",
    "spent",
    "started_items",
    "totals",
]

DELETED = "deleted"
"""The state of a batch whose rows are being deleted; nobody sees it."""

_SOME = 100
"""Batches that one look for outdated ones returns."""


class BatchFilter(Struct, frozen=True, kw_only=True):
    """Which batches; what is null does not filter."""

    task_id: str | None = None
    state: str | None = None


class StoredBatch(Struct, frozen=True, kw_only=True):
    """A batch's row."""

    number: int
    id: str
    task_id: str
    state: str
    body: bytes
    holder: str | None = None
    """Who runs it, or did so last."""
    ended: bool = False


class StoredItem(Struct, frozen=True, kw_only=True):
    """An item's row."""

    position: int
    body: bytes


class StoredResult(Struct, frozen=True, kw_only=True):
    """A result's row, and the body of the record that it belongs to, where there is one."""

    sequence: int
    position: int
    status: str
    sampled: bool
    valid: bool | None
    body: bytes
    record: bytes | None


class BatchTotals(Struct, frozen=True, kw_only=True):
    """What stands in the ledger of one batch."""

    items: int
    last_position: int
    open_bytes: int
    """Size of the items that have no result."""
    by_status: Mapping[str, int]
    sampled: int
    valid: int
    invalid: int
    last_sequence: int


def find(connection: Connection, id: str) -> StoredBatch | None:
    """Return the batch with this id."""
    row = connection.execute(_batches().where(batches.c.id == id, batches.c.state != DELETED)).first()
    return None if row is None else _batch(row)


def list_batches(connection: Connection, wanted: BatchFilter, limit: int, before: int | None) -> Page[StoredBatch]:
    """Return the newest batches that `wanted` describes, below the number `before`."""
    query = _batches().where(batches.c.state != DELETED).order_by(batches.c.number.desc()).limit(limit + 1)
    if wanted.task_id is not None:
        query = query.where(batches.c.task_id == wanted.task_id)
    if wanted.state is not None:
        query = query.where(batches.c.state == wanted.state)
    if before is not None:
        query = query.where(batches.c.number < before)
    rows = connection.execute(query).all()
    more = len(rows) > limit
    return Page(tuple(map(_batch, rows[:limit])), encode_cursor(rows[limit - 1].number) if more else None)


def expired(connection: Connection, before: int) -> tuple[int, ...]:
    """Return the numbers of some batches that ended before an instant in microseconds."""
    query = select(batches.c.number).where(batches.c.finished_at < before).limit(_SOME)
    return tuple(connection.scalars(query))


def spent(connection: Connection) -> tuple[int, ...]:
    """Return the numbers of some ended batches that have items."""
    has_items = exists().where(batch_items.c.batch == batches.c.number)
    query = select(batches.c.number).where(batches.c.finished_at.is_not(None), has_items).limit(_SOME)
    return tuple(connection.scalars(query))


def oldest_items(connection: Connection, number: int, limit: int) -> tuple[int, ...]:
    """Return the first positions of a batch."""
    columns = batch_items.c
    query = select(columns.position).where(columns.batch == number).order_by(columns.position).limit(limit)
    return tuple(connection.scalars(query))


def oldest_results(connection: Connection, number: int, limit: int) -> tuple[int, ...]:
    """Return the first sequences of a batch's results."""
    columns = batch_results.c
    query = select(columns.sequence).where(columns.batch == number).order_by(columns.sequence).limit(limit)
    return tuple(connection.scalars(query))


def open_items(connection: Connection, number: int, after: int, limit: int, max_bytes: int) -> tuple[StoredItem, ...]:
    """Return items without a result, in order of position, as many as fit into `max_bytes` and at least one."""
    columns = batch_items.c
    wanted = (columns.batch == number, columns.position > after, _open())
    sizes = connection.execute(
        select(columns.position, func.length(columns.body)).where(*wanted).order_by(columns.position).limit(limit)
    ).all()
    if not sizes:
        return ()
    totals = accumulate(size for _, size in sizes)
    last = max((row[0] for row, total in zip(sizes, totals, strict=True) if total <= max_bytes), default=sizes[0][0])
    query = select(columns.position, columns.body).where(*wanted, columns.position <= last).order_by(columns.position)
    return tuple(StoredItem(position=position, body=body) for position, body in connection.execute(query).all())


def started_items(connection: Connection, number: int, limit: int) -> tuple[StoredItem, ...]:
    """Return items that were started and have no result."""
    columns, starts = batch_items.c, batch_starts.c
    query = (
        select(columns.position, columns.body)
        .join(batch_starts, (starts.batch == columns.batch) & (starts.position == columns.position))
        .where(starts.batch == number, _open())
        .order_by(columns.position)
        .limit(limit)
    )
    return tuple(StoredItem(position=position, body=body) for position, body in connection.execute(query).all())


def results(connection: Connection, number: int, after: int, limit: int) -> tuple[StoredResult, ...]:
    """Return results with their records' bodies, oldest first."""
    columns = batch_results.c
    query = (
        select(
            columns.sequence,
            columns.position,
            columns.status,
            columns.sampled,
            columns.valid,
            columns.body,
            executions.c.body,
        )
        .join(executions, executions.c.sequence == columns.sequence, isouter=True)
        .where(columns.batch == number, columns.sequence > after)
        .order_by(columns.sequence)
        .limit(limit)
    )
    # All at once: from one row to the next the interpreter's lock may be lost to a busy loop.
    return tuple(
        StoredResult(
            sequence=sequence, position=position, status=status, sampled=sampled, valid=valid, body=body, record=record
        )
        for sequence, position, status, sampled, valid, body, record in connection.execute(query).all()
    )


def has_result(connection: Connection, number: int, sequence: int) -> bool:
    """Return whether a batch has a result with this sequence."""
    columns = batch_results.c
    query = select(columns.sequence).where(columns.sequence == sequence, columns.batch == number)
    return connection.execute(query).first() is not None


def has_position(connection: Connection, number: int, position: int) -> bool:
    """Return whether an item has its result."""
    columns = batch_results.c
    query = select(columns.sequence).where(columns.batch == number, columns.position == position)
    return connection.execute(query).first() is not None


def newest_result(connection: Connection, number: int) -> int:
    """Return the sequence of a batch's newest result; 0 where there is none."""
    columns = batch_results.c
    return connection.scalar(select(func.max(columns.sequence)).where(columns.batch == number)) or 0


def totals(connection: Connection, number: int, *, sized: bool = True) -> BatchTotals:
    """Count items and results of a batch; the size of what is open takes longest, and is 0 where it is not `sized`."""
    items, columns = batch_items.c, batch_results.c
    count, last = connection.execute(
        select(func.count(), func.coalesce(func.max(items.position), 0)).where(items.batch == number)
    ).one()
    size = select(func.coalesce(func.sum(func.length(items.body)), 0)).where(items.batch == number, _open())
    open_bytes = int(connection.execute(size).scalar_one()) if sized else 0
    grouped = connection.execute(
        select(
            columns.status,
            func.count(),
            func.sum(case((columns.sampled, 1), else_=0)),
            func.sum(case((columns.valid.is_(True), 1), else_=0)),
            func.sum(case((columns.valid.is_(False), 1), else_=0)),
            func.max(columns.sequence),
        )
        .where(columns.batch == number)
        .group_by(columns.status)
    ).all()
    return BatchTotals(
        items=count,
        last_position=last,
        open_bytes=open_bytes,
        by_status={row[0]: row[1] for row in grouped},
        sampled=sum(int(row[2]) for row in grouped),
        valid=sum(int(row[3]) for row in grouped),
        invalid=sum(int(row[4]) for row in grouped),
        last_sequence=max((int(row[5]) for row in grouped), default=0),
    )


def _open() -> ColumnElement[bool]:
    """Return the condition that an item has no result."""
    same = (batch_results.c.batch == batch_items.c.batch) & (batch_results.c.position == batch_items.c.position)
    return not_(exists().where(same))


def _batches() -> Select[int, str, str, str, bytes, str | None, int | None]:
    columns = batches.c
    return select(
        columns.number, columns.id, columns.task_id, columns.state, columns.body, columns.holder, columns.finished_at
    )


def _batch(row: Row[int, str, str, str, bytes, str | None, int | None]) -> StoredBatch:
    return StoredBatch(
        number=row.number,
        id=row.id,
        task_id=row.task_id,
        state=row.state,
        body=row.body,
        holder=row.holder,
        ended=row.finished_at is not None,
    )
