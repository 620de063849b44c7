"""Results on stdout: JSON for programs, tables for people. Imports only `errors` and its own room.

Whatever goes wrong while writing ends the command: quietly when nobody reads on, with a message otherwise.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import islice

import typer

from hotplane.cli.failure import say
from hotplane.cli.tables import Column, details, table
from hotplane.errors import HotplaneError
from hotplane.values import Json

__all__ = ["PIPE_CLOSED", "Form", "ListForm", "OutputFailed", "follow", "show_list", "show_one", "write", "write_json"]

PIPE_CLOSED = 141
"""The exit code when the reader has gone, as shells give it: 128 and the number of SIGPIPE."""

Row = Mapping[str, Json]


class Form(StrEnum):
    """How one thing is printed."""

    TABLE = "table"
    JSON = "json"


class ListForm(StrEnum):
    """How many things are printed."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


class OutputFailed(HotplaneError):
    """The output cannot be written: {reason}."""

    code = "output-failed"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()


def write(text: str) -> None:
    """Write text to stdout, now.

    Raises:
        typer.Exit: Nobody reads on.
        OutputFailed: It cannot be written, for example because the disk is full.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        _give_up(error)


def write_json(value: Json) -> None:
    """Write a value to stdout as one line of JSON, in UTF-8 whatever the locale says."""
    _write_bytes(_encoded(value) + b"\n")


def show_one(record: Row, form: Form, fields: Sequence[tuple[str, object]]) -> None:
    """Print one thing.

    Args:
        record: What programs get.
        form: For whom.
        fields: What people see: labels and values.
    """
    if form is Form.JSON:
        write_json(record)
    else:
        write(details(fields))


def follow(rows: Iterable[Row], form: Form, line: Callable[[Row], str], *, count: int | None) -> None:
    """Print things as they come, one a line.

    Args:
        rows: The things.
        form: For whom.
        line: What people see of one, without the line's end.
        count: After how many to end; null for never.
    """
    for row in islice(rows, count):
        if form is Form.JSON:
            write_json(row)
        else:
            write(line(row) + "\n")


def show_list(rows: Iterable[Row], form: ListForm, columns: Sequence[Column], *, nothing: str) -> None:
    """Print many things; for programs each is written when it arrives.

    Args:
        rows: The things.
        form: For whom: ``json`` is one object with `items`, ``ndjson`` one object a line.
        columns: What people see.
        nothing: What to tell people when there are none.
    """
    if form is ListForm.NDJSON:
        for row in rows:
            write_json(row)
    elif form is ListForm.JSON:
        _write_items(rows)
    else:
        _write_table([tuple(column.value(row) for column in columns) for row in rows], columns, nothing)


def _write_items(rows: Iterable[Row]) -> None:
    before = b'{"items":['
    for row in rows:
        _write_bytes(before + _encoded(row))
        before = b","
    _write_bytes(b"]}\n" if before == b"," else before + b"]}\n")


def _write_table(cells: Sequence[Sequence[object]], columns: Sequence[Column], nothing: str) -> None:
    if cells:
        write(table(columns, cells))
    else:
        say(nothing)


def _encoded(value: Json) -> bytes:
    import msgspec

    return msgspec.json.encode(value)


def _write_bytes(data: bytes) -> None:
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        _give_up(error)


def _give_up(error: OSError) -> None:
    # Python flushes stdout once more when it ends; what is left has to go somewhere.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    if isinstance(error, BrokenPipeError):
        raise typer.Exit(PIPE_CLOSED) from None
    raise OutputFailed(error.strerror or str(error)) from None
