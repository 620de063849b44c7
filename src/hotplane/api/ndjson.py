"""Lines of an upload, one JSON text each (NDJSON), however its bytes are cut. Imports nothing of Hotplane.

A line ends with LF, and a CR before it is not part of it; the last one needs no end. Blank lines are skipped, and
count. A byte order mark at the beginning is left away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Line", "LineReader"]

_MARK = b"\xef\xbb\xbf"
_BLANK = b" \t\r"
_ENDS = len(_MARK) + len(b"\r")
"""Bytes that a line may have beside its text."""


class Line(NamedTuple):
    """One line that is not blank."""

    number: int
    """1-based."""
    text: bytes | None
    """Without its end; None where it is longer than the limit."""


class LineReader:
    """Turns the parts of an upload into lines; of one that is too long nothing is kept.

    Args:
        max_bytes: Size of a line without its end.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._number = 0
        self._held: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[Line]:
        """Yield the lines that are complete with these bytes."""
        *pieces, rest = data.split(b"\n")
        for piece in pieces:
            line = self._complete(piece)
            if line is not None:
                yield line
        self._hold(rest)

    def end(self) -> Line | None:
        """Return the last line, when the upload has come to its end without a line end."""
        return self._complete(b"") if self._size else None

    def _hold(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._max_bytes + _ENDS:
            self._held.clear()
        elif piece:
            self._held.append(piece)

    def _complete(self, piece: bytes) -> Line | None:
        self._hold(piece)
        text, size = b"".join(self._held), self._size
        self._held.clear()
        self._size = 0
        self._number += 1
        if size > self._max_bytes + _ENDS:
            return Line(self._number, None)
        if self._number == 1:
            text = text.removeprefix(_MARK)
        text = text.removesuffix(b"\r")
        if len(text) > self._max_bytes:
            return Line(self._number, None)
        return Line(self._number, text) if text.strip(_BLANK) else None
