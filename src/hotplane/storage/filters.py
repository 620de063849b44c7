"""What a reader may ask for, and the page that it gets. Imports `records`, `tables` and `errors`."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2b
from hmac import compare_digest
from typing import Generic, Literal, TypeVar

from msgspec import Struct
from sqlalchemy import ColumnElement, CompoundSelect, select, union_all

from hotplane.errors import Invalid, InvalidCursor
from hotplane.records import EventType, ExecutionStatus, Severity
from hotplane.storage.tables import events, executions, microseconds

__all__ = [
    "MAX_PAGE",
    "EventFilter",
    "ExecutionFilter",
    "Page",
    "check_limit",
    "decode_cursor",
    "encode_cursor",
    "event_conditions",
    "execution_conditions",
]

T = TypeVar("T")

MAX_PAGE = 1_000
"""The most rows of one answer."""


class ExecutionFilter(Struct, frozen=True, kw_only=True):
    """Which executions; what is null does not filter, and everything else has to hold."""

    task_id: str | None = None
    execution_id: str | None = None
    status: ExecutionStatus | None = None
    sampled: bool | None = None
    valid: bool | Literal["unjudged"] | None = None
    started_from: datetime | None = None
    """Aware; this instant included."""
    started_to: datetime | None = None
    """Aware; this instant excluded."""


class EventFilter(Struct, frozen=True, kw_only=True):
    """Which events; what is empty or null does not filter, and everything else has to hold."""

    types: frozenset[EventType] = frozenset()
    severities: frozenset[Severity] = frozenset()
    task_id: str | None = None
    execution_id: str | None = None
    came_from: datetime | None = None
    """Aware; when the store took them in, this instant included."""
    came_to: datetime | None = None
    """Aware; this instant excluded."""


class Page(Struct, Generic[T], frozen=True):
    """Some rows, and where the next ones begin."""

    items: tuple[T, ...]
    next_cursor: str | None
    """Null when there are no more."""


def execution_conditions(wanted: ExecutionFilter) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of a filter."""
    columns = executions.c
    if wanted.task_id is not None:
        yield columns.task_id == wanted.task_id
    if wanted.execution_id is not None:
        yield columns.id == wanted.execution_id
    if wanted.status is not None:
        yield columns.status == wanted.status.value
    if wanted.sampled is not None:
        yield columns.sampled.is_(wanted.sampled)
    if wanted.valid is not None:
        yield columns.valid.is_(None if wanted.valid == "unjudged" else wanted.valid)
    if wanted.started_from is not None:
        yield columns.started_at >= microseconds(wanted.started_from)
    if wanted.started_to is not None:
        yield columns.started_at < microseconds(wanted.started_to)


def event_conditions(wanted: EventFilter) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of a filter."""
    columns = events.c
    if wanted.types:
        yield columns.type.in_(sorted(kind.value for kind in wanted.types))
    if wanted.severities:
        yield columns.severity.in_(sorted(severity.value for severity in wanted.severities))
    if wanted.task_id is not None:
        yield columns.task_id == wanted.task_id
    if wanted.execution_id is not None:
        yield columns.sequence.in_(_of_execution(wanted.execution_id))
    if wanted.came_from is not None:
        yield columns.at >= microseconds(wanted.came_from)
    if wanted.came_to is not None:
        yield columns.at < microseconds(wanted.came_to)


def _of_execution(execution_id: str) -> CompoundSelect[tuple[int]]:
    """Return the sequences of an execution's events; how it ended stands right behind its record."""
    own = select(events.c.sequence).where(events.c.execution_id == execution_id)
    behind = (events.c.sequence == executions.c.sequence + 1) & (events.c.record == executions.c.sequence)
    ended = select(events.c.sequence).join_from(executions, events, behind).where(executions.c.id == execution_id)
    return union_all(own, ended)


def check_limit(limit: int) -> int:
    """Return `limit` when a page may have so many rows.

    Raises:
        Invalid: It is not 1 to 1000.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise Invalid(f"A page has 1 to {MAX_PAGE} rows, not {limit}.")
    return limit


def encode_cursor(sequence: int) -> str:
    """Return an opaque cursor for the rows below `sequence`."""
    number = sequence.to_bytes(8)
    return urlsafe_b64encode(number + _mark(number)).decode()


def decode_cursor(cursor: str) -> int:
    """Return the sequence that a cursor stands for.

    Raises:
        InvalidCursor: `encode_cursor` did not make it.
    """
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii"))
    except ValueError:
        raise InvalidCursor(cursor) from None
    number, mark = raw[:8], raw[8:]
    if not compare_digest(mark, _mark(number)) or encode_cursor(int.from_bytes(number)) != cursor:
        raise InvalidCursor(cursor)
    return int.from_bytes(number)


def _mark(number: bytes) -> bytes:
    # No secret: hosts that share a store must read each other's cursors, and a forged one reveals nothing that
    # a filter would not. It only tells an accident from a cursor.
    return blake2b(number, digest_size=4, person=b"hotplane-cursor").digest()
