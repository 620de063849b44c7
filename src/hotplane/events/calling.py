"""Handing one event to one handler, and what came of it. Imports only `plugins`, `registry`, `records`, `storage`."""

from __future__ import annotations

from enum import Enum
from time import perf_counter
from typing import Any

from msgspec import Struct

from hotplane.events.addressing import supported_by
from hotplane.plugins import Clock, DeliveryFailed, Receipt, WebhookContext, WebhookHandler
from hotplane.records import Event
from hotplane.registry import Failure, Link, Registry
from hotplane.storage import DeliveryAttempt

__all__ = ["MAX_RESPONSE", "Absence", "Answer", "Caller"]

MAX_RESPONSE = 2_048
"""Characters of an answer that are kept."""
_MAX_ERROR = 500
_TOO_BUSY = 429


class Answer(Struct, frozen=True):
    """What came of one attempt."""

    attempt: DeliveryAttempt
    throttled: bool = False
    """Whether the receiver was too busy: it said so, or did not answer in time."""
    retry_after: float | None = None
    """Seconds that it asked to wait."""
    gone: bool = False
    """Whether it wants no events any more."""
    down: bool = False
    """Whether it speaks against the destination as a whole, and not against this event alone."""


class Absence(Enum):
    """Why there was no attempt."""

    DOWN = "the handler is disabled, or does not serve now"
    UNWANTED = "the handler takes no events of this type"


class Caller:
    """Calls handlers that are plugged in, isolated, with a lease on their generation.

    Args:
        registry: Where they are.
        clock: Of the attempts' times.
    """

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock

    def find(self, handler: str) -> WebhookHandler[Any] | None:
        """Return a handler that can be called; None when it is disabled, or does not serve now."""
        link = _link(self._registry.chains[WebhookHandler].links, handler)
        return None if link is None else link.plugin

    async def call(
        self,
        handler: str,
        event: Event,
        *,
        attempt: int,
        max_retries: int,
        limit: float,
        dry_run: bool = False,
        by_hand: bool = False,
    ) -> Answer | Absence:
        """Call a handler once.

        Args:
            handler: Which.
            event: What to hand over.
            attempt: 0 at the first try.
            max_retries: How many may follow the first.
            limit: Seconds that it may take.
            dry_run: Have it do everything but what can be seen outside.
            by_hand: Whether an operator asked for it.

        Returns:
            What came of it, or why there was no attempt.
        """
        with self._registry.lease(WebhookHandler) as chain:
            link = _link(chain.links, handler)
            if link is None:
                return Absence.DOWN
            if event.type not in supported_by(link.plugin):
                return Absence.UNWANTED
            at, started = self._clock.now(), perf_counter()
            context = WebhookContext(
                configuration=link.plugin.config, retry_attempt=attempt, max_retries=max_retries, dry_run=dry_run
            )
            result = await link.invoke(event, context, limit=limit)
        took = round((perf_counter() - started) * 1e3, 3)
        if isinstance(result, Failure):
            return _failed(result, DeliveryAttempt(at=at, ok=False, duration_ms=took, by_hand=by_hand))
        receipt = result if isinstance(result, Receipt) else None
        return Answer(
            DeliveryAttempt(
                at=at,
                ok=True,
                duration_ms=took,
                status=receipt.status if receipt else None,
                response=receipt.response[:MAX_RESPONSE] if receipt else "",
                by_hand=by_hand,
            )
        )


def _link(links: tuple[Link[WebhookHandler[Any]], ...], handler: str) -> Link[WebhookHandler[Any]] | None:
    for link in links:
        if link.plugin_id == handler:
            return link
    return None


def _failed(failure: Failure, blank: DeliveryAttempt) -> Answer:
    error = failure.error
    if not isinstance(error, DeliveryFailed):
        attempt = _with(blank, failure.reason)
        return Answer(attempt, throttled=failure.timed_out, down=True)
    return Answer(
        _with(blank, error.reason, error.status, error.response),
        throttled=error.status == _TOO_BUSY or isinstance(error.__cause__, TimeoutError),
        retry_after=error.retry_after,
        gone=error.gone,
        down=error.status is None or error.status == _TOO_BUSY or error.status >= 500,
    )


def _with(blank: DeliveryAttempt, error: str, status: int | None = None, response: str = "") -> DeliveryAttempt:
    return DeliveryAttempt(
        at=blank.at,
        ok=False,
        duration_ms=blank.duration_ms,
        by_hand=blank.by_hand,
        status=status,
        response=str(response)[:MAX_RESPONSE],
        error=error[:_MAX_ERROR],
    )
