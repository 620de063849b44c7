"""Instants in a query. Imports nothing of Hotplane."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator

__all__ = ["Instant"]

_WRITTEN = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _written(value: object) -> object:
    # pydantic takes a number for seconds since 1970, and milliseconds where it is a large one.
    if isinstance(value, str) and _WRITTEN.fullmatch(value) is None:
        raise ValueError("an instant is written as 2026-01-15T09:30:00Z, or with another offset (RFC 3339)")
    return value


Instant = Annotated[AwareDatetime, BeforeValidator(_written)]
"""Date, time and offset as in RFC 3339; the seconds may be left away."""
