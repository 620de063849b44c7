"""Saying in plain words what is wrong with a plugin's configuration; what was given is not shown, it may be a secret.

Imports only `errors` and `values`.
"""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel, ValidationError

from hotplane.errors import Problem, did_you_mean
from hotplane.values import pointer

__all__ = ["misfits"]

_SHOWN = 60


def misfits(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Return what pydantic found, each with its pointer.

    A list is not said to be too short for items that were left out because they are wrong themselves.

    Args:
        error: What validating raised.
        model: The model of the whole.
    """
    found = error.errors(include_url=False, include_input=False)
    places = [each["loc"] for each in found]
    return [
        Problem(_message(cast("dict[str, Any]", each), model), pointer(*each["loc"]))
        for each in found
        if each["type"] != "too_short" or not any(_is_below(place, each["loc"]) for place in places)
    ]


def _is_below(place: tuple[int | str, ...], other: tuple[int | str, ...]) -> bool:
    return len(place) > len(other) and place[: len(other)] == other


def _message(details: dict[str, Any], model: type[BaseModel]) -> str:
    kind, place = details["type"], details["loc"]
    if kind == "extra_forbidden":
        return _unknown(str(place[-1]), list(model.model_fields) if len(place) == 1 else [])
    if kind == "missing":
        return f"`{place[-1]}` is missing"
    if kind == "too_short":
        return f"it needs at least {details['ctx']['min_length']}, and has {details['ctx']['actual_length']}"
    if kind == "tuple_type":
        return "it must be a list"
    return str(details["msg"]).removeprefix("Value error, ")


def _unknown(key: str, known: list[str]) -> str:
    hint = did_you_mean(key, known)
    others = f"; known keys: {', '.join(sorted(known))}" if known and not hint else ""
    return f"there is no key `{key[:_SHOWN]}`{hint}{others}"
