"""What a webhook handler is to who looks at it, makes it or changes it. Imports `host`, `records` and `storage`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from hotplane.host import Disabled
from hotplane.records import Event, EventType, PluginState
from hotplane.storage import Backlog, DeliveryAttempt
from hotplane.values import Json

__all__ = ["BY_API", "KIND", "Kept", "Numbers", "Tried", "Webhook", "WebhookChange", "WebhookSpec"]

BY_API = "api"
"""The source of handlers that the API made."""
KIND = "webhook-handler"

Priority = Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]
EventNames = Annotated[tuple[str, ...], Meta(max_length=100)]


class _Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Whether it gets events."""
    priority: Priority | None = None
    """Higher stands earlier; null for the default of its class."""
    configuration: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """As its type wants it. A secret that is sent back as `********` stays what it was."""
    events: EventNames | None = None
    """Event types that it takes, and groups such as `plugin.*`; the same as `events` of its configuration."""
    delivery: Mapping[str, Json] | None = None
    """How events are delivered to it, with the keys of `events.delivery`; null for what holds for all handlers."""


class WebhookChange(_Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of a handler that can be changed; what is left away is as if it had never been set."""

    type: str | None = None
    """Its type, which stays what it was."""


class WebhookSpec(_Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A handler that is to be made."""

    name: str
    type: str
    """A built-in or installed type, or `module:Class` where `plugins.paths` allows it."""


class Numbers(Struct, frozen=True, kw_only=True):
    """A handler's deliveries at a glance."""

    backlog: Backlog
    """What it has before it, and what is dead."""
    delivered: int
    """Since the host took up its work, or the handler was enabled; so are the next two."""
    failed: int
    """Attempts that failed and will be repeated."""
    died: int


class Webhook(Struct, frozen=True, kw_only=True):
    """A handler as it stands, without its secrets."""

    name: str
    type: str
    source: str
    """`file`, `api`, `hand` for the program around the host, `directory` or `distribution`."""
    overridden: bool
    """Whether something of it was changed since it was declared."""
    enabled: bool
    priority: int
    state: PluginState
    reason: str | None
    """Why it is not active, or why the host disabled it."""
    disabled: Disabled | None
    """Why and when the host disabled it by itself, such as after an answer 410; null where it is enabled, or an
    operator disabled it."""
    retry_at: datetime | None
    """When it is started again; null where nothing is planned."""
    destination: str | None
    """Where events go, without secrets; null while it does not serve."""
    configuration: Mapping[str, Json]
    """All of it, defaults included; secrets are `********`."""
    events: tuple[EventType, ...]
    """What it takes."""
    delivery: Mapping[str, Json]
    """How events are delivered to it, all in all."""
    own_delivery: Mapping[str, Json] | None
    """What of that is its own."""
    deliveries: Numbers | UnsetType = UNSET
    """How its deliveries are; where one handler was asked for."""


class Tried(Struct, frozen=True, kw_only=True):
    """What came of a test event."""

    event: Event
    """What was handed over; it is not stored."""
    dry_run: bool
    attempt: DeliveryAttempt
    """What the receiver said."""


class Kept(Struct, frozen=True, kw_only=True):
    """A handler that the API made, as it is stored: with its secrets."""

    type: str
    enabled: bool
    priority: int | None
    configuration: Mapping[str, Json]
    delivery: Mapping[str, Json] | None = None

    def encoded(self) -> bytes:
        """Return what is stored."""
        return msgspec.json.encode(self)
