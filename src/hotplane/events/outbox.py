"""The outbox: every event that is stored comes to its handlers, over crashes and outages.

Imports only its own room, `host`, `plugins`, `registry`, `records`, `identity`, `errors` and `storage`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Protocol

from msgspec import Struct

from hotplane.events.addressing import Addressing, HandlerTable
from hotplane.events.calling import Caller
from hotplane.events.destinations import Destinations
from hotplane.events.figures import Figures
from hotplane.events.holder import holder_name
from hotplane.events.lane import Lane, LaneParts
from hotplane.events.metrics import delivery_families
from hotplane.events.operating import Operating
from hotplane.events.pruner import Pruner
from hotplane.events.queues import Queues
from hotplane.events.settings import DeliverySettings, EventsSettings
from hotplane.host.exposition import Family
from hotplane.host.status import Disabled
from hotplane.identity import new_id
from hotplane.plugins import Clock, Logger
from hotplane.records import Event, EventType, Severity
from hotplane.registry import Registry
from hotplane.routing import BreakerSnapshot
from hotplane.storage import Backlog, Committed, Store

__all__ = ["HandlerStatus", "Outbox", "Switchable"]

_DRAIN_SECONDS = 2.0
"""At a stop, what is due is still delivered for so long; the rest waits for the next start."""


class Switchable(HandlerTable, Protocol):
    """The plugins of a host, as far as the outbox switches them."""

    async def disable(self, plugin_id: str, *, because: Disabled) -> object:
        """Take a plugin out of its chain, and keep why; over restarts, too."""
        ...


class HandlerStatus(Struct, frozen=True, kw_only=True):
    """One handler's deliveries at a glance."""

    handler: str
    backlog: Backlog
    delivered: int = 0
    """Since the host took up its work, or the handler was enabled; so are `failed` and `died`."""
    failed: int = 0
    """Attempts that failed and will be repeated."""
    died: int = 0
    settings: DeliverySettings


class Outbox(Operating):
    """Delivers events; one lane for each handler.

    Args:
        store: Where events and deliveries are.
        table: The plugins.
        registry: Where handlers that serve are plugged in.
        settings: For all handlers.
        own: Settings of single handlers, which win key by key.
        clock: Both clocks.
        log: Told of trouble.
    """

    def __init__(
        self,
        *,
        store: Store,
        table: Switchable,
        registry: Registry,
        settings: EventsSettings,
        own: Mapping[str, DeliverySettings],
        clock: Clock,
        log: Logger,
    ) -> None:
        self._store = store
        self._table = table
        self._settings = settings
        self._own = dict(own)
        self._destinations = Destinations(settings.breaker, clock=clock.monotonic, log=log)
        self._queues = Queues(store.deliveries, log)
        caller = Caller(registry, clock)
        super().__init__(store.deliveries, caller, clock, self.settings_of, Figures())
        self._parts = LaneParts(
            deliveries=store.deliveries,
            caller=caller,
            destinations=self._destinations,
            clock=clock,
            holder=holder_name(),
            log=log,
            disable=self._disable,
            figures=self._figures,
        )
        self._lanes: dict[str, Lane] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._pruner = Pruner(store.deliveries, settings, clock, log)
        self._running = False
        self._addressing = Addressing(table, store, self.settings_of)
        table.watch(self._refresh)
        store.commits.listen(self._committed)

    # --- life --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to deliver; needs a running loop."""
        self._running = True
        self._pruner.start()
        self._refresh()

    async def stop(self, grace: float) -> None:
        """Deliver what is due for a moment, let what is under way end within `grace` seconds, give the rest back."""
        self._running = False
        await self._pruner.stop()
        await self._queues.close()
        drain = min(_DRAIN_SECONDS, grace)
        stops = [lane.stop(drain=drain, grace=max(0.0, grace - drain)) for lane in self._lanes.values()]
        self._lanes.clear()
        await asyncio.gather(*stops, *self._leaving)

    # --- looking and setting -----------------------------------------------------------------------------

    def settings_of(self, handler: str) -> DeliverySettings:
        """Return how events are delivered to a handler."""
        own = self._own.get(handler)
        return self._settings.delivery if own is None else own.over(self._settings.delivery)

    def set_settings(self, handler: str, own: DeliverySettings | None) -> None:
        """Deliver to a handler with other settings from now on; None for those of all handlers."""
        before = self.settings_of(handler)
        if own is None:
            self._own.pop(handler, None)
        else:
            self._own[handler] = own
        if self.settings_of(handler) != before:
            self._close(handler)
            self._addressing.refresh()
            self._refresh()

    async def status(self, handler: str) -> HandlerStatus:
        """Return how a handler's deliveries are."""
        backlog = await self._deliveries.backlog(handler)
        settings, lane = self.settings_of(handler), self._lanes.get(handler)
        if lane is None:
            return HandlerStatus(handler=handler, backlog=backlog, settings=settings)
        done = lane.attempts
        return HandlerStatus(
            handler=handler,
            backlog=backlog,
            delivered=done.delivered,
            failed=done.failed,
            died=done.died,
            settings=settings,
        )

    def delivered(self, handler: str) -> int:
        """Return how many deliveries a handler took since the host took up its work, or the handler was enabled."""
        lane = self._lanes.get(handler)
        return 0 if lane is None else lane.attempts.delivered

    def breakers(self) -> tuple[BreakerSnapshot, ...]:
        """Return the state of the breaker of each destination."""
        return self._destinations.snapshots()

    async def families(self, handlers: Collection[str]) -> tuple[Family, ...]:
        """Return the metrics of the deliveries to these handlers, which are all that there are.

        How long their queues are is as of a few seconds ago, and left out while the store cannot tell.
        """
        self._figures.keep(frozenset(handlers))
        figures = {handler: self._figures.of(handler) for handler in sorted(handlers)}
        queues = await self._queues.of(sorted(handlers))
        return tuple(delivery_families(figures, queues, self._clock.now()))

    @property
    def held(self) -> int:
        """Deliveries that this host has a lease on."""
        return sum(lane.held for lane in self._lanes.values())

    # --- lanes -------------------------------------------------------------------------------------------

    def wake(self, handler: str) -> None:
        """Have a handler's lane look for deliveries now."""
        lane = self._lanes.get(handler)
        if lane is not None:
            lane.wake()

    def _committed(self, committed: Committed) -> None:
        for handler in committed.handlers:
            self.wake(handler)

    def _refresh(self) -> None:
        if not self._running:
            return
        wanted = self._addressing.handlers
        for handler in [each for each in self._lanes if each not in wanted]:
            self._close(handler)
        for handler in wanted:
            lane = self._lanes.get(handler)
            if lane is None:
                self._lanes[handler] = Lane(handler, self._parts, self.settings_of(handler))
            else:
                lane.wake()

    def _close(self, handler: str) -> None:
        lane = self._lanes.pop(handler, None)
        if lane is None:
            return
        lane.attempts.retire()
        self._destinations.forget(handler)
        stop = lane.stop(drain=0.0, grace=self.settings_of(handler).timeout_seconds)
        task = asyncio.create_task(stop, name=f"hotplane-leave-{handler}")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _disable(self, handler: str, reason: str) -> None:
        if handler not in self._addressing.handlers:
            return  # it is already, or it is gone
        # The event first: should the host die in between, the receiver says once more that it is gone.
        event = Event(
            id=new_id(),
            type=EventType.WEBHOOK_DISABLED,
            time=self._clock.now(),
            severity=Severity.ERROR,
            payload={"plugin": handler, "reason": reason},
        )
        await self._store.append_events([event])
        self._parts.log.error("events.handler-disabled", handler=handler, reason=reason)
        await self._table.disable(handler, because=Disabled(reason=reason, at=event.time))
