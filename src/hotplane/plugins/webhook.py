"""The kind that tells the world what happened. Imports only `base`, `records` and `errors`."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import ClassVar

from msgspec import Struct
from pydantic import BaseModel

from hotplane.errors import Problem
from hotplane.plugins.base import ConfigT, Plugin
from hotplane.records import Event, EventType

__all__ = ["ALL_EVENTS", "WebhookContext", "WebhookHandler"]

ALL_EVENTS = frozenset(EventType)
"""Every event type there is."""


class WebhookContext(Struct, frozen=True, kw_only=True):
    """How an event comes to a handler."""

    configuration: BaseModel
    """The handler's own configuration, the same object as `self.config`."""
    retry_attempt: int = 0
    """0 at the first try."""
    max_retries: int = 0
    dry_run: bool = False
    """Do everything except what can be seen outside."""


class WebhookHandler(Plugin[ConfigT]):
    """Takes events out of the host."""

    method = "handle"
    supported_events: ClassVar[frozenset[EventType]] = ALL_EVENTS

    def handle(self, event: Event, context: WebhookContext) -> Awaitable[None] | None:
        """Deliver `event`; raise to have it tried again."""
        raise NotImplementedError

    def validate_configuration(self, configuration: ConfigT) -> Awaitable[tuple[Problem, ...]] | tuple[Problem, ...]:
        """Return what the configuration model alone cannot tell; the handler is refused unless it is empty."""
        del configuration
        return ()
