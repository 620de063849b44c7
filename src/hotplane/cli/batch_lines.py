"""How the lines of a file become items, and what is expected of each.

Imports `values` and its own room, and `programs` when it is used.

A line that cannot be used goes up as it is: the host rejects it with its line number, and runs the others.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar, cast

from hotplane.cli.documents import STDIN
from hotplane.cli.failure import BadInput
from hotplane.values import Json, equal

__all__ = ["Expectations", "Shape", "chunks_off_the_loop", "is_regular", "lines_of", "opened"]

T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"


class Shape(NamedTuple):
    """What the lines of a file are."""

    input_only: bool = False
    """Whether a line is the input itself; otherwise it is an item, unless fields are named."""
    input_fields: Sequence[str] = ()
    """The fields of a line that make up the input."""
    expected_field: str | None = None
    id_field: str | None = None

    @property
    def as_it_is(self) -> bool:
        """Whether lines are items already."""
        return not (self.input_only or self.input_fields or self.expected_field or self.id_field)

    def item(self, line: Json) -> dict[str, Json] | None:
        """Return the item of a decoded line; null where it has not the fields."""
        if not isinstance(line, Mapping):
            return {"input": line} if self.input_only and not (self.expected_field or self.id_field) else None
        item: dict[str, Json] = {"input": self._input(line)}
        if self.id_field is not None:
            item["id"] = str(line[self.id_field]) if self.id_field in line else None
        if self.expected_field is not None and self.expected_field in line:
            item["expected"] = line[self.expected_field]
        return item

    def _input(self, line: Mapping[str, Json]) -> Json:
        if self.input_only:
            return line
        if self.input_fields:
            return {name: line[name] for name in self.input_fields if name in line}
        return {name: value for name, value in line.items() if name not in {self.expected_field, self.id_field}}


class Expectations:
    """What was expected of items, and how many outputs were so."""

    def __init__(self) -> None:
        self._open: dict[int, Json] = {}
        self.known = 0
        self.correct = 0

    def expect(self, position: int, value: Json) -> None:
        """Remember what the output of the item in a line should be."""
        self._open[position] = value

    def compare(self, result: Mapping[str, Any]) -> None:
        """Take a result in; an item without an output is not correct."""
        position = int(result["position"])
        if position not in self._open:
            return
        expected = self._open.pop(position)
        self.known += 1
        self.correct += result["status"] == "success" and equal(result["output"], expected)

    @property
    def accuracy(self) -> float | None:
        """The share of correct ones; null where nothing was expected."""
        return self.correct / self.known if self.known else None


def opened(source: str) -> AbstractContextManager[BinaryIO]:
    """Open a file, or stdin for ``-``.

    Only a regular file is closed at the end: closing a pipe waits for the thread that reads it, which may be for ever.

    Raises:
        BadInput: It cannot be read.
    """
    try:
        file = _stdin() if source == STDIN else Path(source).open("rb")  # noqa: SIM115 - the caller closes it
    except OSError as error:
        raise BadInput(f"{source} cannot be read: {error.strerror}.") from None
    return file if is_regular(file) else nullcontext(file)


def is_regular(file: BinaryIO) -> bool:
    """Return whether this is a file on a disk, whose reads return soon; those of pipes and terminals need not."""
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)


def _stdin() -> BinaryIO:
    """Return a new reader of stdin: Python closes `sys.stdin` at its end, and aborts while a thread reads it."""
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - it was closed
        raise BadInput("stdin cannot be read: it is closed.")
    return open(sys.stdin.fileno(), "rb", closefd=False)


async def chunks_off_the_loop(items: Iterator[T], size: int) -> AsyncGenerator[list[T]]:
    """Yield what an iterator gives, some at a time, from a thread that nobody waits for at the end.

    A read of a pipe cannot be cancelled, and `asyncio.to_thread` would keep the process until it returned.
    """
    from hotplane.programs import DaemonThreads

    threads = DaemonThreads(max_threads=1, name="hotplane-batch-lines")
    try:
        while chunk := await threads.call(lambda: list(islice(items, size))):
            yield chunk
    finally:
        threads.close()


def lines_of(file: BinaryIO, shape: Shape, expectations: Expectations) -> Iterator[bytes]:
    """Yield the items of a file as lines, and note what is expected of them."""
    import msgspec

    for position, raw in enumerate(file, start=1):
        line = (raw.removeprefix(_BOM) if position == 1 else raw).rstrip(b"\r\n")
        try:
            decoded: Json = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield line
            continue
        item = decoded if shape.as_it_is else shape.item(decoded)
        if isinstance(item, Mapping) and "expected" in item:
            expectations.expect(position, cast("Mapping[str, Json]", item)["expected"])
        yield line if shape.as_it_is or item is None else msgspec.json.encode(item)
