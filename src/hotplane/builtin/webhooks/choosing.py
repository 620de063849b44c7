"""Which event types one handler takes. Imports only `plugins`, `records` and `errors`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from hotplane.errors import did_you_mean
from hotplane.plugins import WebhookHandler
from hotplane.records import EventType

__all__ = ["ChosenEvents", "chosen_types", "narrow"]


def chosen_types(patterns: Iterable[str]) -> frozenset[EventType]:
    """Return the event types that `patterns` mean: a type, a group such as ``plugin.*``, or ``*``.

    Raises:
        ValueError: One of them means none; with the one that may be meant.
    """
    found = set[EventType]()
    for pattern in patterns:
        meant = {each for each in EventType if _means(pattern, each)}
        if not meant:
            known = [each.value for each in EventType]
            raise ValueError(f"there is no event type {pattern[:100]!r}{did_you_mean(pattern, known)}")
        found |= meant
    return frozenset(found)


def narrow(handler: WebhookHandler[Any], patterns: Iterable[str]) -> None:
    """Have this one handler support only the chosen types, whatever its class does."""
    # The contract declares them for the class; whoever delivers asks the instance.
    vars(handler)["supported_events"] = chosen_types(patterns) & type(handler).supported_events


def _means(pattern: str, kind: EventType) -> bool:
    if pattern.endswith(".*"):
        return kind.value.startswith(pattern[:-1])
    return pattern in {"*", kind.value}


def _checked(patterns: tuple[str, ...]) -> tuple[str, ...]:
    chosen_types(patterns)
    return patterns


ChosenEvents = Annotated[tuple[str, ...], AfterValidator(_checked), Field(min_length=1, max_length=100)]
"""Event types, or groups of them, checked when the configuration is read."""
