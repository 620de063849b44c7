"""One write on its way into the store, as rows ready for the driver. Imports `records`, `tables` and `errors`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeAlias

import msgspec
from msgspec import UNSET
from msgspec.structs import replace
from sqlalchemy import Executable

from hotplane.errors import HotplaneError
from hotplane.records import Event, Execution
from hotplane.storage.tables import microseconds

__all__ = ["Cell", "Row", "Waiter", "Write", "event_row", "execution_row"]

Cell: TypeAlias = str | int | bool | bytes | None
Row: TypeAlias = tuple[Cell, ...]

_encode = msgspec.json.Encoder().encode


class Waiter:
    """The one who waits for something that another thread does; used on the loop's own thread except `loop`."""

    __slots__ = ("future", "loop")

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[int] = self.loop.create_future()

    def settle(self, sequence: int, error: HotplaneError | None) -> None:
        """Let the waiter go on, unless it was cancelled meanwhile."""
        if self.future.done():
            return
        if error is None:
            self.future.set_result(sequence)
        else:
            self.future.set_exception(error)


class Write:
    """What belongs into one commit together: a record, its events, and statements about anything else.

    Args:
        execution: The row of a record, without its sequence.
        events: The rows of events, without their sequences.
        statements: What else to execute, in order.
        waiter: Who wants to hear of the commit; nobody when None.
    """

    __slots__ = ("error", "events", "execution", "sequence", "size", "statements", "waiter")

    def __init__(
        self,
        execution: Row | None = None,
        events: Sequence[Row] = (),
        statements: Sequence[Executable] = (),
        waiter: Waiter | None = None,
    ) -> None:
        self.execution = execution
        self.events = events
        self.statements = statements
        self.waiter = waiter
        self.sequence = 0
        """The record's sequence; valid when `error` stays None."""
        self.error: HotplaneError | None = None
        self.size = (0 if execution is None else _size(execution)) + sum(map(_size, events))

    @property
    def rows(self) -> int:
        """How many sequences it needs."""
        return (self.execution is not None) + len(self.events)


def execution_row(execution: Execution) -> Row:
    """Return a record's row, in the order of the table's columns after `sequence`."""
    return (
        execution.id,
        execution.task_id,
        execution.status.value,
        microseconds(execution.started_at),
        execution.sampling is not None and execution.sampling.sampled,
        execution.valid,
        execution.minted,
        round(execution.latency_ms * 1_000),
        # A rerun starts from a stored record, and its place in the order is a new one.
        _encode(execution if execution.sequence is UNSET else replace(execution, sequence=UNSET)),
    )


def event_row(event: Event) -> Row:
    """Return an event's row, in the order of the table's columns after `sequence`."""
    body = _encode(event if event.sequence is UNSET else replace(event, sequence=UNSET))
    return (event.type.value, event.severity.value, event.task_id, event.execution_id, body)


def _size(row: Row) -> int:
    body = row[-1]
    return len(body) if isinstance(body, bytes) else 0
