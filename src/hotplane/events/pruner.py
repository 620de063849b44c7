"""Deleting old events now and then, in small slices. Imports only `settings`, `plugins` and `storage`."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from hotplane.errors import HotplaneError
from hotplane.events.settings import EventsSettings
from hotplane.plugins import Clock, Logger
from hotplane.storage import StoredDeliveries
from hotplane.storage.tables import microseconds

__all__ = ["Pruner"]

_EVERY_SECONDS = 600.0
_FIRST_SECONDS = 60.0
_BREATH_SECONDS = 0.05
"""Between two slices, so that executions are committed in between."""


class Pruner:
    """Keeps the log of events from growing for ever.

    Args:
        deliveries: Where they are.
        settings: How long they are kept.
        clock: What time it is.
        log: Told when the store takes nothing.
    """

    def __init__(self, deliveries: StoredDeliveries, settings: EventsSettings, clock: Clock, log: Logger) -> None:
        self._deliveries = deliveries
        self._settings = settings
        self._clock = clock
        self._log = log
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; needs a running loop."""
        self._task = asyncio.create_task(self._run(), name="hotplane-prune-events")

    async def stop(self) -> None:
        """Delete nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def prune(self) -> None:
        """Delete everything that is too old now."""
        now = self._clock.now()
        delivered = microseconds(now - timedelta(days=self._settings.keep_days))
        rest = microseconds(now - timedelta(days=self._settings.keep_dead_days))
        after: int | None = 0
        while after is not None:
            after = await self._deliveries.prune(after=after, delivered_before=max(delivered, rest), all_before=rest)
            await asyncio.sleep(_BREATH_SECONDS)

    async def _run(self) -> None:
        pause = _FIRST_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = _EVERY_SECONDS
            try:
                await self.prune()
            except HotplaneError as error:
                self._log.warning("events.not-pruned", why=str(error))
