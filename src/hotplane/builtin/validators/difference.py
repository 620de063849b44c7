"""Where two JSON values differ first, for a person who wants to see it. Imports only `values`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType

from hotplane.values import Json, equal, pointer

__all__ = ["MAX_SHOWN", "Difference", "first_difference"]

MAX_SHOWN = 80
"""Characters of a value that are shown."""

_Path: TypeAlias = tuple[str | int, ...]


class Difference(Struct, frozen=True):
    """One place where the actual value is not the expected one; unset where a side has nothing there."""

    path: tuple[str | int, ...]
    expected: Json | UnsetType
    actual: Json | UnsetType

    @property
    def pointer(self) -> str:
        """The place as a JSON Pointer."""
        return pointer(*self.path)

    def __str__(self) -> str:
        """Return both sides as one line, shortened."""
        return f"expected {_shown(self.expected)}, got {_shown(self.actual)}"


def first_difference(expected: Json, actual: Json) -> Difference | None:
    """Return the first difference in document order, or none when the values are equal as JSON.

    Keys come in the expected object's order, then what only the actual one has.
    """
    return None if equal(expected, actual) else _first(expected, actual, ())


def _first(expected: Json, actual: Json, path: _Path) -> Difference | None:
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        return _in_objects(expected, actual, path)
    if isinstance(expected, list | tuple) and isinstance(actual, list | tuple):
        return _in_arrays(expected, actual, path)
    return None if equal(expected, actual) else Difference(path, expected, actual)


def _in_objects(expected: Mapping[str, Json], actual: Mapping[str, Json], path: _Path) -> Difference | None:
    for key, value in expected.items():
        if key not in actual:
            return Difference((*path, key), value, UNSET)
        found = _first(value, actual[key], (*path, key))
        if found is not None:
            return found
    for key, value in actual.items():
        if key not in expected:
            return Difference((*path, key), UNSET, value)
    return None


def _in_arrays(
    expected: list[Json] | tuple[Json, ...], actual: list[Json] | tuple[Json, ...], path: _Path
) -> Difference | None:
    for index, (left, right) in enumerate(zip(expected, actual, strict=False)):
        found = _first(left, right, (*path, index))
        if found is not None:
            return found
    shorter = min(len(expected), len(actual))
    if len(expected) > shorter:
        return Difference((*path, shorter), expected[shorter], UNSET)
    if len(actual) > shorter:
        return Difference((*path, shorter), UNSET, actual[shorter])
    return None


def _shown(value: Json | UnsetType) -> str:
    if value is UNSET:
        return "nothing"
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
