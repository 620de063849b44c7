"""Three ways in which two JSON values are the same. Imports only `values` and `difference`."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose
from typing import TypeGuard

import msgspec
from msgspec import Struct

from hotplane.builtin.validators.difference import Difference, first_difference
from hotplane.values import Json

__all__ = ["Tolerance", "exactly", "nearly", "structurally"]


class Tolerance(Struct, frozen=True):
    """By how much two numbers may differ, as in `math.isclose`."""

    rel: float
    abs: float


def exactly(expected: Json, actual: Json) -> Difference | None:
    """Return a difference unless both are written alike: 1 is not 1.0, and keys have an order."""
    if msgspec.json.encode(expected) == msgspec.json.encode(actual):
        return None
    return first_difference(expected, actual) or Difference((), expected, actual)


def structurally(expected: Json, actual: Json) -> Difference | None:
    """Return the first difference of two JSON values; 1 equals 1.0, and the order of keys does not matter."""
    return first_difference(expected, actual)


def nearly(expected: Json, actual: Json, tolerance: Tolerance) -> Difference | None:
    """Return the first difference that is more than the tolerance between two numbers."""
    return first_difference(expected, _snapped(expected, actual, tolerance))


def _snapped(expected: Json, actual: Json, tolerance: Tolerance) -> Json:
    """Return `actual` with every number that is near enough replaced by the expected one."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        return {
            key: _snapped(expected[key], item, tolerance) if key in expected else item for key, item in actual.items()
        }
    if isinstance(expected, list | tuple) and isinstance(actual, list | tuple):
        pairs = [_snapped(left, right, tolerance) for left, right in zip(expected, actual, strict=False)]
        return [*pairs, *actual[len(pairs) :]]
    if _is_number(expected) and _is_number(actual):
        return expected if isclose(expected, actual, rel_tol=tolerance.rel, abs_tol=tolerance.abs) else actual
    return actual


def _is_number(value: Json) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
