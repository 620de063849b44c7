"""Statements that insert many rows of one kind. Imports `tables`.

Every statement lets go of the interpreter's lock and may wait 5 ms for it when the loop is busy, so a row each
(`executemany`) took 95 ms for 256 rows beside a busy thread; one statement takes 5 ms. Every cell that is handed to the
driver costs about 0.1 µs, so what is the same in all rows is handed over once, or stands in the statement; and what
follows from rows that the group has stored already is selected from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from msgspec import Struct
from sqlalchemy import Table

from hotplane.storage.tables import deliveries, events, executions

__all__ = [
    "DELIVERIES",
    "ENDINGS",
    "LARGEST_INSERT",
    "Shape",
    "deliveries_of_all",
    "endings_of_all",
    "inserts",
    "whole",
]

LARGEST_INSERT = 128
"""Rows in one INSERT."""
_GIVEN = "?"


class Shape(Struct, frozen=True):
    """Which cells the rows of a kind have, and what their other columns are."""

    table: str
    columns: tuple[str, ...]
    """The cells of a row."""
    same: tuple[tuple[str, str], ...] = ()
    """The other columns, each with its expression, which may use a row's own; ``?`` is given once for all rows."""


@cache
def whole(table: Table) -> Shape:
    """Return the shape of rows that have a cell for every column, but for `record`, which only endings have."""
    return Shape(table.name, tuple(each.name for each in table.columns if each.name != "record"))


ENDINGS = Shape(
    events.name, ("sequence", "type", "severity", "task_id", "body"), (("at", _GIVEN), ("record", "sequence - 1"))
)
"""How executions ended, each right behind its record."""
_NEW = (("state", "'pending'"), ("attempts", "0"), ("due_at", "0"))
"""What is the same in all new deliveries: they are due at once, whatever the clock says later."""
DELIVERIES = Shape(deliveries.name, ("event", "order_key"), (("handler", _GIVEN), ("updated_at", _GIVEN), *_NEW))
"""New deliveries to one handler."""


def inserts(
    shape: Shape, cells: Sequence[object], same: Sequence[object], placeholder: str
) -> Iterator[tuple[str, Sequence[object]]]:
    """Yield statements that insert rows, each with its parameters.

    Args:
        shape: The kind of the rows.
        cells: Those of all rows, one row after the other.
        same: What is given once for all of them.
        placeholder: How the driver marks a parameter.
    """
    width = len(shape.columns)
    for start in range(0, len(cells), LARGEST_INSERT * width):
        some = cells[start : start + LARGEST_INSERT * width]
        yield _statement(shape, len(some) // width, placeholder), [*some, *same] if same else some


@cache
def endings_of_all(placeholder: str) -> str:
    """Return the statement that makes the endings of all records of a range, where they are the same but for the task.

    Its parameters are type, severity, body, the present, the first and the last sequence of the records.
    """
    same = ", ".join([placeholder] * 2)
    return (
        f"INSERT INTO {events.name} (sequence, type, severity, task_id, body, at, record) "  # noqa: S608 - our own names
        f"SELECT sequence + 1, {same}, task_id, {same}, sequence FROM {executions.name} "
        f"WHERE sequence BETWEEN {placeholder} AND {placeholder}"
    )


@cache
def deliveries_of_all(placeholder: str) -> str:
    """Return the statement that has every event of a range delivered to one handler, in no order.

    Its parameters are the handler, the present, the first and the last sequence of the events.
    """
    others, given = zip(*_NEW, strict=True)
    return (
        f"INSERT INTO {deliveries.name} (handler, event, updated_at, {', '.join(others)}) "  # noqa: S608 - our own names
        f"SELECT {placeholder}, sequence, {placeholder}, {', '.join(given)} FROM {events.name} "
        f"WHERE sequence BETWEEN {placeholder} AND {placeholder}"
    )


@cache
def _statement(shape: Shape, rows: int, placeholder: str) -> str:
    # One statement for the whole group: a second one costs more than another shape, and the driver keeps all shapes.
    row = f"({', '.join([placeholder] * len(shape.columns))})"
    values = f"VALUES {', '.join([row] * rows)}"
    own = ", ".join(shape.columns)
    if not shape.same:
        return f"INSERT INTO {shape.table} ({own}) {values}"
    others = ", ".join(name for name, _ in shape.same)
    given = ", ".join(placeholder if each == _GIVEN else each for _, each in shape.same)
    insert = f"INSERT INTO {shape.table} ({own}, {others}) SELECT {own}, {given} FROM v"  # noqa: S608 - our own names
    return f"WITH v({own}) AS ({values}) {insert}"
