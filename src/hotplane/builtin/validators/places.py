"""Finding the part of a JSON value that a JSON Pointer (RFC 6901) names. Imports only `values`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from msgspec import UNSET, UnsetType
from pydantic import AfterValidator

from hotplane.values import Json

__all__ = ["Place", "value_at"]

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def _checked(place: str) -> str:
    if place and not place.startswith("/"):
        raise ValueError(f"{place[:100]!r} is not a JSON Pointer: it begins with `/`, or is empty for the whole value")
    return place


Place = Annotated[str, AfterValidator(_checked)]
"""A JSON Pointer in a configuration; empty for the whole value."""


def value_at(value: Json, place: str) -> Json | UnsetType:
    """Return the part of `value` that a JSON Pointer names; unset where there is none."""
    found: Json | UnsetType = value
    for part in place.split("/")[1:]:
        found = _step(found, part.replace("~1", "/").replace("~0", "~"))
        if found is UNSET:
            return UNSET
    return found


def _step(value: Json | UnsetType, part: str) -> Json | UnsetType:
    if isinstance(value, Mapping):
        return value.get(part, UNSET)
    if isinstance(value, list | tuple) and _INDEX.fullmatch(part) and int(part) < len(value):
        return value[int(part)]
    return UNSET
