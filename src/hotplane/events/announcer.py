"""Handing committed events to the handlers that are plugged in, best effort.

Imports only `plugins`, `registry` and `records`. The events themselves are durable: they were committed with
what caused them before they come here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from hotplane.plugins import Logger, WebhookContext, WebhookHandler
from hotplane.records import Event
from hotplane.registry import Failure, Link, Registry

__all__ = ["Announcer"]


class Announcer:
    """Calls the webhook handlers, outside the execution path, one event at a time.

    Args:
        registry: Where the handlers are.
        log: Told of handlers that fail, and once of events that found the queue full.
        limit: How many events may wait; a further one is not announced, only stored.
    """

    def __init__(self, registry: Registry, *, log: Logger, limit: int = 10_000) -> None:
        self._registry = registry
        self._log = log
        self._waiting: asyncio.Queue[Event] = asyncio.Queue(maxsize=limit)
        self._worker: asyncio.Task[None] | None = None
        self.dropped = 0

    def start(self) -> None:
        """Begin to call handlers; needs a running loop."""
        self._worker = asyncio.create_task(self._work(), name="hotplane-announcer")

    async def stop(self, grace: float) -> None:
        """Hand over what waits, for at most `grace` seconds."""
        if self._worker is None:
            return
        await asyncio.wait({asyncio.ensure_future(self._waiting.join())}, timeout=grace)
        self._worker.cancel()
        await asyncio.wait({self._worker})
        self._worker = None

    def announce(self, events: Iterable[Event]) -> None:
        """Have `events` handed to the handlers; costs nothing where there are none."""
        if not self._registry.chains[WebhookHandler].links:
            return
        for event in events:
            try:
                self._waiting.put_nowait(event)
            except asyncio.QueueFull:
                if not self.dropped:
                    self._log.warning("events.queue-full", limit=self._waiting.maxsize)
                self.dropped += 1

    async def _work(self) -> None:
        while True:
            event = await self._waiting.get()
            try:
                with self._registry.lease(WebhookHandler) as chain:
                    for link in chain.links:
                        if event.type in link.plugin.supported_events:
                            await self._hand_over(link, event)
            finally:
                self._waiting.task_done()

    async def _hand_over(self, link: Link[WebhookHandler[Any]], event: Event) -> None:
        failure = await link.invoke(event, WebhookContext(configuration=link.plugin.config))
        if isinstance(failure, Failure):
            self._log.warning(
                "events.handler-failed", handler=link.plugin_id, event_type=event.type, why=failure.reason
            )
