"""The values of deliveries: an event on its way to one handler, and what came of it. Imports `records` and `values`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import Struct

from hotplane.records import EventType
from hotplane.storage.endings import StoredEvent

__all__ = [
    "MAX_ATTEMPTS_KEPT",
    "Backlog",
    "Claimed",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryFilter",
    "DeliveryState",
    "EventRange",
    "Outcome",
    "Queue",
    "add_attempt",
    "read_history",
]

MAX_ATTEMPTS_KEPT = 20
"""Attempts that a delivery's history keeps, the newest ones."""

_encode = msgspec.json.Encoder().encode


class DeliveryState(StrEnum):
    """Where a delivery is."""

    PENDING = "pending"
    """Not tried yet, or asked for again."""
    DELIVERING = "delivering"
    """Somebody has a lease on it and is at it."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """It failed, and will be tried again."""
    DEAD = "dead"
    """It failed at every attempt of its schedule; only a replay or a manual retry brings it back."""


class DeliveryAttempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One try to hand an event over."""

    at: datetime
    ok: bool
    duration_ms: float
    status: int | None = None
    """Of an HTTP answer."""
    response: str = ""
    """The beginning of the answer."""
    error: str = ""
    by_hand: bool = False
    """Whether an operator asked for it; such attempts do not count in the schedule."""


class Delivery(Struct, frozen=True, kw_only=True):
    """One event's delivery to one handler."""

    handler: str
    sequence: int
    """The event's place in the log; with the handler it names the delivery."""
    event_id: str
    event_type: EventType
    state: DeliveryState
    attempts: int
    """Tries of the schedule so far."""
    due_at: datetime | None
    """When it is tried next; null when it is not, or at once."""
    order_key: str | None
    updated_at: datetime
    history: tuple[DeliveryAttempt, ...]
    """The newest attempts, oldest first."""


class DeliveryFilter(Struct, frozen=True, kw_only=True):
    """Which deliveries of a handler; what is empty or null does not filter, and everything else has to hold."""

    states: frozenset[DeliveryState] = frozenset()
    types: frozenset[EventType] = frozenset()
    sequence: int | None = None
    came_from: datetime | None = None
    """Aware; when the store took the events in, this instant included."""
    came_to: datetime | None = None
    """Aware; this instant excluded."""


class EventRange(Struct, frozen=True, kw_only=True):
    """Which events to replay; what is empty or null does not filter."""

    sequence: int | None = None
    """A single one."""
    types: frozenset[EventType] = frozenset()
    came_from: datetime | None = None
    """When the store took them in; this instant included."""
    came_to: datetime | None = None
    """This instant excluded."""


class Backlog(Struct, frozen=True, kw_only=True):
    """What a handler has before it."""

    pending: int = 0
    delivering: int = 0
    failed: int = 0
    dead: int = 0


class Queue(Struct, frozen=True, kw_only=True):
    """How long a handler's queue is."""

    pending: int
    """Deliveries that are not delivered, and not dead."""
    dead: int
    oldest: datetime | None
    """When the store took the oldest pending event in; null when none is pending."""


class Claimed(Struct, frozen=True, gc=False):
    """A delivery that the claimer now has a lease on."""

    sequence: int
    attempts: int
    order_key: str | None
    history: bytes | None
    event: StoredEvent | None
    """Null when it is gone."""


class Outcome(Struct, frozen=True, gc=False):
    """What became of a claimed delivery."""

    sequence: int
    state: DeliveryState
    attempts: int
    due_at: int | None
    """Microseconds since 1970; null for delivered and dead."""
    history: bytes


_decode_history = msgspec.json.Decoder(tuple[DeliveryAttempt, ...]).decode


def read_history(body: bytes | None) -> tuple[DeliveryAttempt, ...]:
    """Return the attempts that a row holds."""
    return () if body is None else _decode_history(body)


def add_attempt(body: bytes | None, attempt: DeliveryAttempt) -> bytes:
    """Return a history with one attempt more, without the oldest beyond the limit."""
    if body is None:
        return _encode((attempt,))
    kept: Sequence[DeliveryAttempt] = (*read_history(body), attempt)[-MAX_ATTEMPTS_KEPT:]
    return _encode(kept)
