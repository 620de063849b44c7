"""How long the handlers' queues are, looked up now and then. Imports only `errors`, `plugins` and `storage`.

A host may share its store with others, so that only the store knows. Looking costs the more the longer the queues
are, so a look is kept for a multiple of the time that it took: whoever asks how often, the store is little troubled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from time import perf_counter

from hotplane.errors import HotplaneError
from hotplane.plugins import Logger
from hotplane.storage import Queue, StoredDeliveries

__all__ = ["Queues"]

_KEPT_SECONDS = 5.0
_KEPT_TIMES = 50
"""A look is kept for so many times what it took: one reader of the store spends 2 % of its time on it at most."""
_PATIENCE_SECONDS = 1.0
"""For a look that is under way; who asks gets the one before when it takes longer."""


class Queues:
    """The lengths of the queues.

    Args:
        deliveries: Where they are.
        log: Told when they cannot be looked up.
    """

    def __init__(self, deliveries: StoredDeliveries, log: Logger) -> None:
        self._deliveries = deliveries
        self._log = log
        self._known: Mapping[str, Queue] = {}
        self._asked: frozenset[str] = frozenset()
        self._good_until = float("-inf")
        self._look: asyncio.Task[None] | None = None

    async def of(self, handlers: Collection[str]) -> Mapping[str, Queue]:
        """Return the queues of handlers as they were when last looked up; without those that are not known."""
        if perf_counter() >= self._good_until or not self._asked.issuperset(handlers):
            await self._renew(handlers)
        return {handler: self._known[handler] for handler in handlers if handler in self._known}

    async def close(self) -> None:
        """Look no more."""
        if self._look is not None:
            self._look.cancel()
            await asyncio.wait({self._look})

    async def _renew(self, handlers: Collection[str]) -> None:
        if self._look is None:
            self._look = asyncio.create_task(self._read(tuple(handlers)), name="hotplane-queues")
        await asyncio.wait({self._look}, timeout=_PATIENCE_SECONDS)

    async def _read(self, handlers: tuple[str, ...]) -> None:
        began, self._asked = perf_counter(), frozenset(handlers)
        try:
            self._known = await self._deliveries.queues(handlers)
        except HotplaneError as error:
            # Old numbers would pass for new ones, and a store that is down is told of elsewhere, too.
            self._known = {}
            self._log.warning("events.queues-unknown", why=str(error))
        finally:
            ended = perf_counter()
            self._good_until = ended + max(_KEPT_SECONDS, _KEPT_TIMES * (ended - began))
            self._look = None
