"""The JSON data model: what inputs and outputs may be, and when two of them are equal.

Imports only `errors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from hotplane.errors import NotJson

__all__ = ["MAX_DEPTH", "Json", "checked_copy", "equal", "pointer"]

if TYPE_CHECKING:
    Json: TypeAlias = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
else:
    Json = Any  # msgspec and pydantic resolve annotations at run time and need no recursion

MAX_DEPTH = 64
"""Containers may be nested this deep. Recursive readers of other languages give up at about 100."""

_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1


def pointer(*parts: str | int) -> str:
    """Return the JSON Pointer (RFC 6901) for a path of keys and indexes."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def checked_copy(value: object, *, max_depth: int = MAX_DEPTH) -> Json:
    """Return a deep copy of `value` in plain JSON types.

    The copy shares nothing with `value`, so that a program which changes its input or goes on using its
    output cannot change what is recorded. Tuples become lists; subclasses of str, int and float their base.

    Args:
        value: What a caller sent or a program returned.
        max_depth: How deep containers may be nested.

    Raises:
        NotJson: `value` holds a NaN, an infinity, an integer outside -2^63 … 2^64-1, a lone surrogate, a key
            that is not a string, an object of another type, or is nested too deep. The pointer says where.
    """
    try:
        return _copy(value, max_depth)
    except _Unfit as unfit:
        raise NotJson(unfit.reason, pointer(*reversed(unfit.path))) from None


def equal(left: Json, right: Json) -> bool:
    """Compare two JSON values structurally: 1 equals 1.0, true does not equal 1, key order does not matter."""
    if left is right:
        return True
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    if isinstance(left, int | float):
        return isinstance(right, int | float) and left == right
    if isinstance(left, Mapping):
        return (
            isinstance(right, Mapping)
            and left.keys() == right.keys()
            and all(equal(value, right[key]) for key, value in left.items())
        )
    if isinstance(left, list | tuple):
        if not isinstance(right, list | tuple) or len(left) != len(right):
            return False
        return all(equal(a, b) for a, b in zip(left, right, strict=True))
    return type(left) is type(right) and left == right


class _Unfit(Exception):
    """Carries the reason and, innermost first, the path while it climbs out of the recursion."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.path: list[str | int] = []
        super().__init__(reason)


def _copy(value: Any, depth: int) -> Json:
    # `Any`, here and below: `cast` is a call, and a hundred thousand values a second come by.
    if value is None or value is True or value is False:
        return value
    kind = type(value)  # pyright: ignore[reportUnknownVariableType] - of anything
    if kind is str:
        return _text(value)
    if kind is int:
        return _integer(value)
    if kind is float:
        return _number(value)
    if kind is dict:
        return _object(value, depth)
    if kind is list or kind is tuple:
        return _array(value, depth)
    return _copy_subclass(value, depth)


def _copy_subclass(value: object, depth: int) -> Json:
    if isinstance(value, str):
        return _text(str.__str__(value))
    if isinstance(value, int):
        return _integer(int.__int__(value))
    if isinstance(value, float):
        return _number(float.__float__(value))
    if isinstance(value, dict):
        return _object(cast("dict[Any, Any]", value), depth)
    if isinstance(value, list | tuple):
        return _array(cast("list[object]", value), depth)
    raise _Unfit(f"an object of type {type(value).__name__}")


def _text(value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _Unfit("a string with a lone surrogate, which UTF-8 cannot hold") from None
    return value


def _integer(value: int) -> int:
    if _INT_MIN <= value <= _INT_MAX:
        return value
    raise _Unfit("an integer outside -2^63 … 2^64-1")


def _number(value: float) -> float:
    if isfinite(value):
        return value
    raise _Unfit(f"the number {value}")


def _object(value: dict[Any, Any], depth: int) -> Json:
    if not depth:
        raise _Unfit("nested too deep")
    copied: dict[str, Json] = {}
    for key, item in value.items():
        # Most of what flows are ASCII texts and numbers under ASCII keys: no further call for those.
        if type(key) is str and key.isascii():
            kind = type(item)  # pyright: ignore[reportUnknownVariableType] - of anything
            if (kind is str and item.isascii()) or (kind is int and _INT_MIN <= item <= _INT_MAX):
                copied[key] = item
                continue
        if not isinstance(key, str):
            raise _Unfit(f"a key of type {type(key).__name__}; keys are strings")
        try:
            copied[_text(key)] = _copy(item, depth - 1)
        except _Unfit as unfit:
            unfit.path.append(key.encode(errors="replace").decode())
            raise
    return copied


def _array(value: Sequence[object], depth: int) -> Json:
    if not depth:
        raise _Unfit("nested too deep")
    copied: list[Json] = []
    for index, item in enumerate(value):
        try:
            copied.append(_copy(item, depth - 1))
        except _Unfit as unfit:
            unfit.path.append(index)
            raise
    return copied
