"""The numbers and instants that records are made of. Imports nothing of Hotplane."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta

__all__ = ["Fraction", "NonNegative", "Positive", "now"]

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
NonNegative = Annotated[float, Meta(ge=0.0)]
Positive = Annotated[float, Meta(gt=0.0)]


def now() -> datetime:
    """Return the present instant as an aware datetime in UTC."""
    return datetime.now(UTC)
