"""What validators say of an execution. Imports only `measures` and `values`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType, field

from hotplane.records.measures import Fraction, NonNegative
from hotplane.values import Json

__all__ = ["Consequence", "FieldError", "ValidationResult"]


class FieldError(Struct, frozen=True, kw_only=True):
    """One thing that a validator found wrong."""

    message: str
    pointer: str = ""
    """JSON Pointer into the output."""
    code: str = ""
    """A stable word for programs, such as ``schema`` or ``expected``."""


class Consequence(StrEnum):
    """What followed from one validator's verdict, beside the verdict over all."""

    REJECTED = "rejected"
    """The caller got an error instead of the output."""
    FIXED = "fixed"
    """The validator's correction replaced the output."""


class ValidationResult(Struct, frozen=True, kw_only=True):
    """A validator's verdict on an execution."""

    valid: bool | None
    """Null: it could not judge."""
    applies: bool = True
    """False leaves it out of the verdict over all: a validator says so where there was nothing for it to judge; the
    host where it failed and its `on_error` is ``open``, and where its correction replaced what it judged."""
    output: Json | UnsetType = UNSET
    """The corrected output, from a validator whose `on_fail` is ``fix`` and whose verdict is false; kept where it
    replaced the output."""
    consequence: Consequence | None = None
    """What followed; the host fills it in."""
    validator: str = ""
    """The validator's id; the host fills it in."""
    message: str = ""
    errors: tuple[FieldError, ...] = ()
    confidence: Fraction = 1.0
    duration_ms: NonNegative = 0.0
    """Filled in by the host."""
    version: str = ""
    """The validator's version; the host fills it in."""
    generation: int = 0
    """The validator's generation; the host fills it in."""
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])
