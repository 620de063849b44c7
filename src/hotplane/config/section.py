"""The base of every section that this room defines. Imports nothing of Hotplane."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

__all__ = ["Section", "wrong"]


class Section(BaseModel):
    """A part of the configuration: frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def wrong(message: str, at: str = "") -> PydanticCustomError:
    """Return the error that a validator raises: a sentence, shown as it is.

    Args:
        message: The sentence; it must not hold the value where that may be a secret.
        at: JSON Pointer of the offender below the value that is being validated.
    """
    return PydanticCustomError("wrong", "{message}", {"message": message, "at": at})
