"""The event that every execution has: how it ended. Imports `records`, `tables` and `errors`.

It is stored with the record in one commit, and says nothing but what the record says. That is why its row refers to
the record and has only what the columns of the record do not have; the event is made of both whenever it is read, and
is the same each time. Its sequence is the one that follows the record's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import FromClause, Join

from hotplane.records import Event, EventType, Execution, ExecutionStatus, Severity
from hotplane.storage.tables import events, executions, microseconds
from hotplane.values import Json

__all__ = ["EVENT_COLUMNS", "Ending", "StoredEvent", "Told", "ending_row", "with_record"]

_ENDINGS: Mapping[ExecutionStatus, tuple[EventType, Severity]] = {
    ExecutionStatus.SUCCESS: (EventType.PROGRAM_EXECUTION_COMPLETED, Severity.INFO),
    ExecutionStatus.ERROR: (EventType.PROGRAM_EXECUTION_FAILED, Severity.ERROR),
    ExecutionStatus.REJECTED: (EventType.PROGRAM_EXECUTION_FAILED, Severity.WARNING),
    ExecutionStatus.CANCELLED: (EventType.PROGRAM_EXECUTION_FAILED, Severity.WARNING),
    ExecutionStatus.INTERRUPTED: (EventType.PROGRAM_EXECUTION_FAILED, Severity.WARNING),
    ExecutionStatus.TIMEOUT: (EventType.PROGRAM_EXECUTION_TIMEOUT, Severity.ERROR),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Failure(Struct, frozen=True):
    """What an event tells of an `ExecutionFailure`: no traceback, it may show data."""

    type: str
    message: str


class _Rest(Struct, frozen=True, omit_defaults=True):
    """What the columns of a record do not say: the `body` of an ending's row."""

    program: str
    error: _Failure | None = None


_encode = msgspec.json.Encoder().encode
_decode_rest = msgspec.json.Decoder(_Rest).decode
_decode_event = msgspec.json.Decoder(Event).decode


class Ending(Struct, frozen=True, gc=False):
    """That an execution ended: what to store together with its record, in the place of an `Event`."""

    execution: Execution

    @property
    def id(self) -> str:
        """The id that the event will have."""
        return _id(self.execution.id, microseconds(self.execution.started_at))

    @property
    def type(self) -> EventType:
        """Which event it is."""
        return _ENDINGS[self.execution.status][0]

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return _ENDINGS[self.execution.status][1]

    @property
    def task_id(self) -> str:
        """The execution's task."""
        return self.execution.task_id

    @property
    def execution_id(self) -> str:
        """The execution."""
        return self.execution.id


Told: TypeAlias = Event | Ending
"""What is stored beside a record."""


class StoredEvent(Struct, frozen=True, gc=False):
    """An event as its row, and the columns of the record that the row may refer to, say it."""

    sequence: int
    body: bytes
    record: int | None
    """The sequence of the record that it is the ending of; null for every other event, which is whole in `body`."""
    execution_id: str | None
    task_id: str | None
    status: str | None
    started_at: int | None
    latency: int | None

    @property
    def id(self) -> str:
        """The event's id."""
        return self.read().id

    def read(self) -> Event:
        """Return the event.

        Raises:
            MsgspecError: What is stored is no event.
        """
        if self.record is None:
            return replace(_decode_event(self.body), sequence=self.sequence)
        if self.execution_id is None or self.started_at is None or self.latency is None:
            raise msgspec.ValidationError(f"event {self.sequence} refers to record {self.record}, which is not there")
        rest = _decode_rest(self.body)
        payload: dict[str, Json] = {"status": self.status, "latency_ms": self.latency / 1_000}
        if rest.error is not None:
            payload["error"] = {"type": rest.error.type, "message": rest.error.message}
        happened, severity = _ENDINGS[ExecutionStatus(self.status)]
        return Event(
            id=_id(self.execution_id, self.started_at),
            type=happened,
            time=_EPOCH + timedelta(microseconds=self.started_at + self.latency),
            severity=severity,
            task_id=self.task_id,
            execution_id=self.execution_id,
            program=rest.program,
            payload=payload,
            sequence=self.sequence,
        )


EVENT_COLUMNS = tuple(
    column.label(f"event_{column.name}")
    for column in (
        events.c.body,
        events.c.record,
        executions.c.id,
        executions.c.task_id,
        executions.c.status,
        executions.c.started_at,
        executions.c.latency,
    )
)
"""What `StoredEvent` has, in its order, without the sequence. Of `with_record`."""


def with_record(source: FromClause) -> Join:
    """Return `source`, which has the table of events, together with the records that events refer to."""
    return source.outerjoin(executions, executions.c.sequence == events.c.record)


def ending_row(ending: Ending) -> tuple[str, str, str, bytes]:
    """Return the cells of an ending that are its own: type, severity, task and body."""
    execution = ending.execution
    happened, severity = _ENDINGS[execution.status]
    error = execution.error
    if error is None:
        body = _without_error(execution.program)
    else:
        body = _encode(_Rest(execution.program, _Failure(error.type, error.message)))
    return happened._value_, severity._value_, execution.task_id, body  # `value` is a function call


@lru_cache(maxsize=1_024)
def _without_error(program: str) -> bytes:
    return _encode(_Rest(program))


def _id(execution_id: str, started_at: int) -> str:
    # A rerun keeps the execution's id, and begins at another instant. No full stop, which would part what is signed.
    return f"{execution_id}-{started_at}"
