"""Leases on deliveries: taking, settling and giving them back, as work inside the writer's transaction.

Imports `delivery`, `tables`. All writers of a store wait for each other, so that what is selected here cannot be
taken by another host before it is updated; that is why no row lock is needed, on either database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, delete, select, update

from hotplane.storage.delivery import Claimed, DeliveryState, Outcome
from hotplane.storage.endings import EVENT_COLUMNS, StoredEvent, with_record
from hotplane.storage.tables import deliveries, events

__all__ = ["PARKED", "Claim", "Release", "Settlement", "wake"]

PARKED = 2**62
"""`due_at` of a delivery that waits for an earlier one of its key; whoever closes that one wakes it."""
_WOKEN = 64
"""Deliveries of one key that are woken together: the claimer takes them as a chain."""

_of = deliveries.c
_DELIVERING = DeliveryState.DELIVERING.value


@dataclass
class Claim:
    """Takes a lease on what is due.

    Of the deliveries with an order key only those are taken whose earlier open ones are taken with them; the others
    are parked.
    """

    handler: str
    holder: str
    limit: int
    now: int
    lease_until: int
    retries_only: bool = False
    """Leave what was never tried aside for once, so that new events do not keep old ones waiting for ever."""
    rows: list[Claimed] = field(default_factory=list[Claimed])
    """In the order in which they were due."""
    found: int = 0
    """What was due, parked ones included; below `limit` there is no more."""
    next_due: int | None = None
    """When the next one is due, where there was no more."""

    def __call__(self, connection: Connection) -> None:
        """Do it, in the writer's transaction."""
        found = connection.execute(self._due_events()).all()
        self.found, self.next_due = len(found), None
        blocked = self._blocked(connection, found)
        self.rows = [_claimed(*row) for row in found if row[0] not in blocked]
        if self.rows:
            # The same rows again: a list of them costs SQLAlchemy two microseconds for each.
            taken = self._due(_of.event) if not blocked else [row.sequence for row in self.rows]
            values = {"state": _DELIVERING, "holder": self.holder, "due_at": self.lease_until, "updated_at": self.now}
            connection.execute(
                update(deliveries).where(_of.handler == self.handler, _of.event.in_(taken)).values(values)
            )
        if blocked:
            connection.execute(update(deliveries).where(*_these(self.handler, blocked)).values(due_at=PARKED))
        if self.found < self.limit:
            self.next_due = connection.scalar(self._next())

    def _due_events(self) -> Any:
        whole = with_record(deliveries.outerjoin(events, events.c.sequence == _of.event))
        return self._due(_of.event, _of.attempts, _of.order_key, _of.body, *EVENT_COLUMNS).select_from(whole)

    def _due(self, *columns: ColumnElement[Any]) -> Any:
        return (
            select(*columns)
            .where(
                _of.handler == self.handler,
                _of.due_at <= self.now,
                _of.due_at > (0 if self.retries_only else -1),
                _of.state != _DELIVERING,
            )
            .order_by(_of.due_at, _of.event)
            .limit(self.limit)
        )

    def _next(self) -> Any:
        conditions = (_of.handler == self.handler, _of.due_at < PARKED, _of.state != _DELIVERING)
        return select(_of.due_at).where(*conditions).order_by(_of.due_at).limit(1)

    def _blocked(self, connection: Connection, found: Sequence[Row[Any]]) -> set[int]:
        by_key: defaultdict[str, list[int]] = defaultdict(list)
        for row in found:
            if row.order_key is not None:
                by_key[row.order_key].append(row.event)
        blocked = set[int]()
        for key, numbers in by_key.items():
            numbers.sort()
            first = connection.scalars(_first_of_key(self.handler, key, len(numbers))).all()
            # Whatever follows a gap waits for the one that is not due.
            free = next((at for at, pair in enumerate(zip(numbers, first, strict=False)) if pair[0] != pair[1]), None)
            blocked.update(() if free is None else numbers[free:])
        return blocked


@dataclass
class Settlement:
    """Writes down what became of claimed deliveries, in one statement, and wakes what waited for them."""

    handler: str
    holder: str
    now: int
    outcomes: Sequence[Outcome]
    dropped: Sequence[int]
    """Those that nobody wants any more."""
    closed_keys: Collection[str]
    """The keys of those that are delivered, dead or dropped."""
    returned: Collection[int]
    """Those that were not begun."""
    parked: Collection[int]
    """Those that were not begun, since the one of their key before them failed."""
    placeholder: str

    def __call__(self, connection: Connection) -> None:
        """Do it, in the writer's transaction."""
        for numbers, parked in ((self.returned, False), (self.parked, True)):
            if numbers:
                condition = (_of.holder == self.holder) & _of.event.in_(tuple(numbers))
                Release(self.handler, self.now, condition, parked)(connection)
        if self.outcomes:
            cells = [cell for each in self.outcomes for cell in _cells(each)]
            statement = _settle_statement(len(self.outcomes), self.placeholder)
            connection.exec_driver_sql(statement, (*cells, self.now, self.handler, self.holder))
        if self.dropped:
            connection.execute(delete(deliveries).where(*_these(self.handler, self.dropped), _of.holder == self.holder))
        wake(connection, self.handler, self.closed_keys, self.now, self.placeholder)


@dataclass
class Release:
    """Gives leases back without an attempt: the deliveries are due again at once, or parked behind another one."""

    handler: str
    now: int
    condition: ColumnElement[bool]
    """Which of the handler's deliveries."""
    parked: bool = False

    def __call__(self, connection: Connection) -> None:
        """Do it, in the writer's transaction."""
        connection.execute(
            update(deliveries)
            .where(_of.handler == self.handler, _of.due_at.is_not(None), _of.state == _DELIVERING, self.condition)
            .values(
                state=case((_of.attempts == 0, "pending"), else_="failed"),
                due_at=PARKED if self.parked else case((_of.attempts == 0, 0), else_=self.now),
                holder=None,
                updated_at=self.now,
            )
        )


def wake(connection: Connection, handler: str, keys: Collection[str], now: int, placeholder: str) -> None:
    """Make what is parked behind closed deliveries of these keys due."""
    if not keys:
        return
    statement = _parked_keys(len(keys), placeholder)
    for key in connection.exec_driver_sql(statement, (*keys, handler, PARKED)).scalars().all():
        conditions = (_of.handler == handler, _of.event.in_(_first_of_key(handler, key, _WOKEN)), _of.due_at == PARKED)
        connection.execute(update(deliveries).where(*conditions).values(due_at=now))


def _claimed(
    sequence: int, attempts: int, order_key: str | None, history: bytes | None, body: bytes | None, *record: Any
) -> Claimed:
    event = None if body is None else StoredEvent(sequence, body, *record)
    return Claimed(sequence, attempts, order_key, history, event)


def _first_of_key(handler: str, key: str, limit: int) -> Any:
    conditions = (_of.handler == handler, _of.order_key == key, _of.due_at.is_not(None))
    return select(_of.event).where(*conditions).order_by(_of.event).limit(limit)


def _these(handler: str, numbers: Iterable[int]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _of.handler == handler, _of.event.in_(tuple(numbers))


def _cells(outcome: Outcome) -> tuple[int, str, int, int | None, bytes]:
    return outcome.sequence, outcome.state.value, outcome.attempts, outcome.due_at, outcome.history


@cache
def _settle_statement(rows: int, placeholder: str) -> str:
    # One statement for the whole group: every further one may wait 5 ms for the interpreter's lock.
    row = f"({', '.join([placeholder] * 5)})"
    return (
        f"WITH v(event, state, attempts, due_at, body) AS (VALUES {', '.join([row] * rows)}) "  # noqa: S608
        f"UPDATE {deliveries.name} AS d SET state = v.state, attempts = v.attempts, "
        f"due_at = CAST(v.due_at AS BIGINT), holder = NULL, body = v.body, updated_at = {placeholder} "
        f"FROM v WHERE d.handler = {placeholder} AND d.event = v.event AND d.holder = {placeholder}"
    )


@cache
def _parked_keys(keys: int, placeholder: str) -> str:
    # The sum keeps SQLite from reading everything that is parked by the index over `due_at`.
    return (
        f"WITH k(name) AS (VALUES {', '.join([f'({placeholder})'] * keys)}) SELECT name FROM k "  # noqa: S608
        f"WHERE EXISTS (SELECT 1 FROM {deliveries.name} AS d WHERE d.handler = {placeholder} AND d.order_key = k.name "
        f"AND d.due_at IS NOT NULL AND d.due_at + 0 = {placeholder})"
    )
