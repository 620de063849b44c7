"""One write on its way into the store, as rows ready for the driver. Imports `records`, `tables` and `errors`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import time_ns
from typing import TypeAlias, cast

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace
from sqlalchemy import Connection, Executable, Table

from hotplane.errors import HotplaneError
from hotplane.records import Event, Execution
from hotplane.storage.endings import Ending, Told, ending_row
from hotplane.storage.tables import microseconds

__all__ = [
    "Addressee",
    "Cell",
    "Place",
    "Row",
    "Tenure",
    "Waiter",
    "Write",
    "event_row",
    "execution_row",
    "result_row",
    "write_of",
]

Cell: TypeAlias = str | int | float | bool | bytes | None
Row: TypeAlias = tuple[Cell, ...]

_encode = msgspec.json.Encoder().encode


class Addressee(Struct, frozen=True):
    """A handler that an event has to be delivered to."""

    handler: str
    order_key: str | None = None
    """Deliveries of one handler with the same key go out one after the other."""


class Tenure:
    """Whether a batch is this host's; shared by all its places, so that one step ends it for what runs, too."""

    __slots__ = ("over",)

    def __init__(self) -> None:
        self.over = False
        """Another host has it: what this one still ran of it is recorded, but is no result of the batch."""


class Place(Struct, frozen=True, kw_only=True):
    """The item of a batch that an execution is of."""

    batch: int
    """The batch's number in the ledger."""
    position: int
    item_id: str
    correlation_id: str | None = None
    tenure: Tenure


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
    """What belongs into one commit together: a record, its events, and anything else.

    Args:
        execution: The row of a record, without its sequence.
        events: The rows of events, without their sequences.
        ending: How the record's execution ended, as an event's row without its sequence.
        statements: What else to execute, in order, after the rows.
        waiter: Who wants to hear of the commit; nobody when None.
        addressees: Whom each of `events` has to be delivered to; empty for nobody.
        ending_to: Whom the ending has to be delivered to.
        results: Rows of batch results, without their sequences. The first one of a write with a record has the
            record's sequence, every other one a sequence of its own.
        rows: Whole rows of other tables, inserted in large statements.
        numbered: Rows whose first column, left away here, is a sequence of its own.
        patient: Whether it is of a batch and may wait while others, for which somebody waits, go first.
        work: What else to do in the transaction, after everything else, in the writer's thread. It may be called again
            when the commit failed, and then starts anew.
    """

    __slots__ = (
        "addressees",
        "ending",
        "ending_to",
        "error",
        "events",
        "execution",
        "numbered",
        "patient",
        "results",
        "rows",
        "sequence",
        "size",
        "statements",
        "waiter",
        "work",
    )

    def __init__(
        self,
        execution: Row | None = None,
        events: Sequence[Row] = (),
        statements: Sequence[Executable] = (),
        waiter: Waiter | None = None,
        *,
        ending: Row | None = None,
        addressees: Sequence[Sequence[Addressee]] = (),
        ending_to: Sequence[Addressee] = (),
        results: Sequence[Row] = (),
        rows: Sequence[tuple[Table, Sequence[Row]]] = (),
        numbered: Sequence[tuple[Table, Row]] = (),
        work: Callable[[Connection], object] | None = None,
        patient: bool = False,
    ) -> None:
        self.execution = execution
        self.events = events
        self.statements = statements
        self.waiter = waiter
        self.ending = ending
        self.addressees = addressees
        self.ending_to = ending_to
        self.results = results
        self.rows = rows
        self.numbered = numbered
        self.work = work
        self.patient = patient
        self.sequence = 0
        """The record's sequence, or else the last one given to the write; valid when `error` stays None."""
        self.error: HotplaneError | None = None
        self.size = _size(execution) + _size(ending) + sum(map(_size, events))
        if rows:
            self.size += sum(_size(row) for _, group in rows for row in group)

    @property
    def needs(self) -> int:
        """How many sequences it needs."""
        own = max(len(self.results), self.execution is not None)
        return own + (self.ending is not None) + len(self.events) + len(self.numbered)

    @property
    def newest_result(self) -> int:
        """The sequence of its last result, once it is stored."""
        return self.sequence if self.execution is not None else self.sequence - len(self.events) - len(self.numbered)


def write_of(
    execution: Execution | None, events: Sequence[Told], ask: Callable[[Told], Sequence[Addressee]] | None
) -> Write:
    """Return the write of a record and its events.

    Args:
        execution: The record.
        events: What happened; the record's ending, if any, comes first.
        ask: Tells whom an event has to be delivered to; None where nobody wants any.
    """
    ending = events[0] if events and isinstance(events[0], Ending) else None
    others = cast("Sequence[Event]", events if ending is None else events[1:])
    return Write(
        None if execution is None else execution_row(execution),
        [event_row(event) for event in others] if others else (),
        ending=None if ending is None else ending_row(ending),
        ending_to=() if ending is None or ask is None else ask(ending),
        addressees=() if ask is None else [ask(event) for event in others],
    )


def execution_row(execution: Execution) -> Row:
    """Return a record's row, in the order of the table's columns after `sequence`."""
    sampling = execution.sampling
    return (
        execution.id,
        execution.task_id,
        execution.status._value_,  # `value` is a function call
        microseconds(execution.started_at),
        sampling is not None and sampling.sampled,
        execution.valid,
        execution.minted,
        round(execution.latency_ms * 1_000),
        sampling is not None and sampling.probability_sampled,
        None if sampling is None else sampling.probability,
        # A rerun starts from a stored record, and its place in the order is a new one.
        _encode(execution if execution.sequence is UNSET else replace(execution, sequence=UNSET)),
    )


def event_row(event: Event) -> Row:
    """Return an event's row, in the order of the table's columns after `sequence`."""
    body = _encode(event if event.sequence is UNSET else replace(event, sequence=UNSET))
    # When it came in, not the event's own time: programs outside may publish what happened long ago.
    return (event.type._value_, event.severity._value_, event.task_id, event.execution_id, time_ns() // 1_000, body)


def result_row(place: Place, execution: Execution) -> Row:
    """Return the row of a batch result, in the order of the table's columns after `sequence`."""
    sampling = execution.sampling
    return (
        place.batch,
        place.position,
        execution.status.value,
        sampling is not None and sampling.sampled,
        execution.valid,
        _encode({"item_id": place.item_id, "correlation_id": place.correlation_id}),
    )


def _size(row: Row | None) -> int:
    body = None if row is None else row[-1]
    return len(body) if isinstance(body, bytes) else 0
