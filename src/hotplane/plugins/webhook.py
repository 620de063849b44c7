"""The kind that tells the world what happened. Imports only `base`, `records` and `errors`."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import ClassVar

from msgspec import Struct
from pydantic import BaseModel

from hotplane.errors import HotplaneError, Problem
from hotplane.plugins.base import ConfigT, Plugin
from hotplane.records import Event, EventType

__all__ = ["ALL_EVENTS", "DeliveryFailed", "Receipt", "WebhookContext", "WebhookHandler"]

ALL_EVENTS = frozenset(EventType)
"""Every event type there is."""


class Receipt(Struct, frozen=True, kw_only=True):
    """What came back for a delivery that was taken."""

    status: int | None = None
    """The status of an HTTP answer."""
    response: str = ""
    """The beginning of the answer; the host keeps a few kilobytes."""


class DeliveryFailed(HotplaneError):
    """The event was not taken: {reason}."""

    code = "delivery-failed"

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        response: str = "",
        retry_after: float | None = None,
        gone: bool = False,
    ) -> None:
        """Say why.

        Args:
            reason: In words, without secrets.
            status: The status of an HTTP answer.
            response: The beginning of the answer.
            retry_after: Seconds that the receiver asked to wait.
            gone: Whether the receiver wants no events any more (HTTP 410): the handler is disabled.
        """
        self.reason = reason
        self.status = status
        self.response = response
        self.retry_after = retry_after
        self.gone = gone
        super().__init__()


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
    outcomes = (DeliveryFailed,)
    """What a receiver says is nothing against the plugin: the supervisor must not restart it for an outage there."""
    supported_events: ClassVar[frozenset[EventType]] = ALL_EVENTS

    def handle(self, event: Event, context: WebhookContext) -> Awaitable[Receipt] | Awaitable[None] | Receipt | None:
        """Deliver `event`; raise to have it tried again.

        Raises:
            DeliveryFailed: With what the receiver said of it. Any other exception is tried again, too.
        """
        raise NotImplementedError

    def destination(self) -> str:
        """Return where events go, without secrets, such as ``https://example.com:443``; one breaker guards each."""
        return self.id

    def validate_configuration(self, configuration: ConfigT) -> Awaitable[tuple[Problem, ...]] | tuple[Problem, ...]:
        """Return what the configuration model alone cannot tell; the handler is refused unless it is empty."""
        del configuration
        return ()
