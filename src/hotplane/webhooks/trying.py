"""Test events. Imports `records`, `identity` and `errors`."""

from __future__ import annotations

from collections.abc import Sequence

from hotplane.identity import new_id
from hotplane.records import Event, EventType, Severity, now

__all__ = ["an_event"]

_USUAL = EventType.PROGRAM_EXECUTION_FAILED


def an_event(kind: EventType | None, taken: Sequence[EventType], severity: Severity) -> Event:
    """Return an event that says of itself that it is a test.

    Args:
        kind: Its type; by default one of those that the handler takes.
        taken: Those.
        severity: Its severity.
    """
    if kind is None:
        kind = _USUAL if _USUAL in taken or not taken else taken[0]
    return Event(
        id=new_id(),
        type=kind,
        time=now(),
        severity=severity,
        payload={"message": "This is a test: nothing has happened."},
        metadata={"test": True},
    )
