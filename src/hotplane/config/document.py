"""A configuration file as it was read: plain JSON values, and the line where each of them stands.

Imports only `errors` and `values`; what the values mean is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from hotplane.errors import ConfigurationError, NotJson, Problem
from hotplane.values import Json, checked_copy

__all__ = ["MAX_FILE_BYTES", "MAX_NODES", "Document", "nearest", "refuse"]

MAX_FILE_BYTES = 1_048_576
"""A configuration file may be this large, in bytes."""

MAX_NODES = 100_000
"""A file may hold this many values, aliases written out: a bound on what a few nested aliases can blow up to."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a file holds.

    Args:
        value: The whole of it, in plain JSON types.
        lines: The line, from 1, of every value by its JSON Pointer: that of its key, or of the item in a list.
        file: The file's name, as the operator wrote it; null for a mapping made in memory.

    Raises:
        ConfigurationError: `value` holds something that JSON cannot, such as a NaN.
    """

    value: Json
    lines: Mapping[str, int] = field(default_factory=dict[str, int])
    file: str | None = None

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "value", checked_copy(self.value))
        except NotJson as error:
            refuse(f"this is not a JSON value: {error.reason}", self.file, self.line_of(error.pointer), error.pointer)

    def line_of(self, pointer: str) -> int | None:
        """Return the line of the value at `pointer`, or of the nearest one around it that has a line."""
        place = nearest(pointer, self.lines)
        return None if place is None else self.lines[place]


def nearest(pointer: str, known: Mapping[str, object]) -> str | None:
    """Return the longest prefix of `pointer`, by whole parts, that is in `known`; null when there is none."""
    while pointer not in known:
        if not pointer:
            return None
        pointer = pointer.rpartition("/")[0]
    return pointer


def refuse(message: str, file: str | None, line: int | None = None, pointer: str = "") -> NoReturn:
    """Raise a `ConfigurationError` that has one problem."""
    raise ConfigurationError((Problem(message, "" if pointer == "/" else pointer, file, line),)) from None
