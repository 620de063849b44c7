"""What is read of deliveries, in a reader's thread. Imports `delivery`, `claiming`, `filters`, `tables`, `records`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from hotplane.records import Event, EventType
from hotplane.storage.claiming import PARKED
from hotplane.storage.delivery import (
    Backlog,
    Delivery,
    DeliveryFilter,
    DeliveryState,
    EventRange,
    Queue,
    read_history,
)
from hotplane.storage.endings import EVENT_COLUMNS, StoredEvent, with_record
from hotplane.storage.filters import Page, encode_cursor
from hotplane.storage.tables import deliveries, events, microseconds

__all__ = [
    "backlog",
    "events_in",
    "failing_since",
    "handlers",
    "leases",
    "list_all_deliveries",
    "list_deliveries",
    "next_due",
    "one_delivery",
    "queues",
]

_of = deliveries.c
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def next_due(connection: Connection, handler: str) -> int | None:
    """Return when the next delivery of a handler is due, in microseconds since 1970; None when none is."""
    conditions = (_of.handler == handler, _of.due_at < PARKED, _of.state != DeliveryState.DELIVERING.value)
    return connection.scalar(select(_of.due_at).where(*conditions).order_by(_of.due_at).limit(1))


def leases(connection: Connection, handler: str) -> dict[str, int]:
    """Return who holds leases of a handler, and when the first of each ends, in microseconds since 1970."""
    conditions = (
        _of.handler == handler,
        _of.due_at > 0,
        _of.due_at < PARKED,
        _of.state == DeliveryState.DELIVERING.value,
    )
    query = select(_of.holder, func.min(_of.due_at)).where(*conditions).group_by(_of.holder)
    return {str(holder): int(ends) for holder, ends in connection.execute(query)}


def backlog(connection: Connection, handler: str) -> Backlog:
    """Return how many deliveries a handler has before it, and how many are dead."""
    open_ones = (
        select(_of.state, func.count()).where(_of.handler == handler, _of.due_at.is_not(None)).group_by(_of.state)
    )
    dead = select(func.count()).where(_of.handler == handler, _of.state == DeliveryState.DEAD.value)
    counts = {str(state): int(count) for state, count in connection.execute(open_ones)}
    return Backlog(**counts, dead=connection.execute(dead).scalar_one())


def queues(connection: Connection, handlers: Sequence[str]) -> dict[str, Queue]:
    """Return how long the queues of handlers are; it reads an index entry for each open or dead delivery."""
    return {handler: _queue(connection, handler) for handler in handlers}


def _queue(connection: Connection, handler: str) -> Queue:
    waiting = select(func.count(), func.min(_of.event)).where(_of.handler == handler, _of.due_at.is_not(None))
    dead = select(func.count()).where(_of.handler == handler, _of.state == DeliveryState.DEAD.value)
    count, first = connection.execute(waiting).one()
    at = None if first is None else connection.scalar(select(events.c.at).where(events.c.sequence == first))
    return Queue(pending=count, dead=connection.execute(dead).scalar_one(), oldest=_instant(at) if at else None)


def list_deliveries(
    connection: Connection, handler: str, wanted: DeliveryFilter, limit: int, before: int | None
) -> Page[Delivery]:
    """Return a handler's newest deliveries, below the event sequence `before`."""
    query = _deliveries(handler).where(*_conditions(wanted))
    if before is not None:
        query = query.where(_of.event < before)
    # One row more than asked for tells whether there is another page.
    rows = connection.execute(query.order_by(_of.event.desc()).limit(limit + 1)).all()
    items = tuple(_delivery(row) for row in rows[:limit])
    return Page(items, encode_cursor(rows[limit - 1].event) if len(rows) > limit else None)


def list_all_deliveries(
    connection: Connection, wanted: DeliveryFilter, limit: int, before: tuple[int, str] | None
) -> tuple[Delivery, ...]:
    """Return the newest deliveries to all handlers, by event and then by handler, behind the place `before`."""
    rows: list[Row[Any]] = []
    # A page of each handler is read by its key. One query over all would have to sort everything.
    for handler in handlers(connection):
        query = _deliveries(handler).where(*_conditions(wanted))
        if before is not None:
            event, last = before
            query = query.where(_of.event <= event if handler > last else _of.event < event)
        rows += connection.execute(query.order_by(_of.event.desc()).limit(limit))
    rows.sort(key=lambda row: (-row.event, row.handler))
    return tuple(_delivery(row) for row in rows[:limit])


def one_delivery(connection: Connection, handler: str, sequence: int) -> tuple[Delivery, Event] | None:
    """Return a delivery and its event; None when there is no such delivery."""
    row = connection.execute(_deliveries(handler).where(_of.event == sequence)).first()
    return None if row is None else (_delivery(row), _event(row).read())


def events_in(connection: Connection, wanted: EventRange, after: int, limit: int) -> Sequence[int]:
    """Return the sequences of the oldest events of a range, above the sequence `after`."""
    query = select(events.c.sequence).where(events.c.sequence > after, *_range_conditions(wanted))
    return connection.scalars(query.order_by(events.c.sequence).limit(limit)).all()


def dead_in(connection: Connection, handler: str, wanted: EventRange, after: int, limit: int) -> Sequence[int]:
    """Return the sequences of a handler's oldest dead deliveries of a range, above the sequence `after`."""
    query = (
        select(_of.event)
        .select_from(deliveries.join(events, events.c.sequence == _of.event))
        .where(_of.handler == handler, _of.state == DeliveryState.DEAD.value, _of.event > after)
        .where(*_range_conditions(wanted))
    )
    return connection.scalars(query.order_by(_of.event).limit(limit)).all()


def failing_since(connection: Connection, handler: str) -> tuple[int, datetime | None]:
    """Return how many deliveries of a handler died since the last one was taken, and when the first of them began."""
    taken = select(func.max(_of.updated_at)).where(_of.handler == handler, _of.state == DeliveryState.DELIVERED.value)
    last = connection.scalar(taken) or 0
    dead = (_of.handler == handler, _of.state == DeliveryState.DEAD.value, _of.updated_at > last)
    count = connection.execute(select(func.count()).where(*dead)).scalar_one()
    if not count:
        return 0, None
    oldest = connection.scalar(select(_of.body).where(*dead).order_by(_of.event).limit(1))
    history = read_history(oldest)
    return count, history[0].at if history else None


def handlers(connection: Connection) -> tuple[str, ...]:
    """Return the handlers that have deliveries of any state."""
    found: list[str] = []
    # Hopping from name to name reads one row each; DISTINCT would read them all.
    while True:
        name = connection.scalar(select(func.min(_of.handler)).where(_of.handler > (found[-1] if found else "")))
        if name is None:
            return tuple(found)
        found.append(str(name))


def _deliveries(handler: str) -> Any:
    return (
        select(*deliveries.c, events.c.type.label("type"), *EVENT_COLUMNS)
        .select_from(with_record(deliveries.join(events, events.c.sequence == _of.event)))
        .where(_of.handler == handler)
    )


def _conditions(wanted: DeliveryFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.states:
        yield _of.state.in_(sorted(state.value for state in wanted.states))
    if wanted.types:
        yield events.c.type.in_(sorted(kind.value for kind in wanted.types))
    if wanted.sequence is not None:
        yield _of.event == wanted.sequence
    if wanted.came_from is not None:
        yield events.c.at >= microseconds(wanted.came_from)
    if wanted.came_to is not None:
        yield events.c.at < microseconds(wanted.came_to)


def _range_conditions(wanted: EventRange) -> Iterator[ColumnElement[bool]]:
    if wanted.sequence is not None:
        yield events.c.sequence == wanted.sequence
    if wanted.types:
        yield events.c.type.in_(sorted(kind.value for kind in wanted.types))
    if wanted.came_from is not None:
        yield events.c.at >= microseconds(wanted.came_from)
    if wanted.came_to is not None:
        yield events.c.at < microseconds(wanted.came_to)


def _delivery(row: Row[Any]) -> Delivery:
    due = row.due_at
    return Delivery(
        handler=row.handler,
        sequence=row.event,
        event_id=_event(row).id,
        event_type=EventType(row.type),
        state=DeliveryState(row.state),
        attempts=row.attempts,
        due_at=None if due is None or not 0 < due < PARKED else _instant(due),
        order_key=row.order_key,
        updated_at=_instant(row.updated_at),
        history=read_history(row.body),
    )


def _event(row: Row[Any]) -> StoredEvent:
    return StoredEvent(row.event, *row[-len(EVENT_COLUMNS) :])


def _instant(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)
