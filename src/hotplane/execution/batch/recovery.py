"""Keeps the leases on this host's batches, and takes up those that others left.

Imports `holding`, `live`, `storage` and `errors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from hotplane.errors import HotplaneError
from hotplane.execution.batch.holding import Holding
from hotplane.execution.batch.live import LiveBatch
from hotplane.log import get_logger
from hotplane.storage import BatchLease, BatchTotals, Ledger, StoredBatch

__all__ = ["Recovery", "Tenant"]

_log = get_logger(room="batches")

_BEAT_SECONDS = 20.0
"""From one renewal, and one look for what was left, to the next: a lease lasts for three of them."""
_AFTER_FAILURE_SECONDS = 1.0
_RELEASE_SECONDS = 1.0


class Tenant(Protocol):
    """Who runs batches."""

    @property
    def by_number(self) -> Mapping[int, LiveBatch]:
        """Those it runs."""
        ...

    @property
    def halted(self) -> bool:
        """Whether it takes no more in."""
        ...

    def take_up(self, stored: StoredBatch, totals: BatchTotals) -> None:
        """Go on with one that was left."""
        ...

    def lose(self, number: int) -> None:
        """Stop one that another host has."""
        ...

    def wake(self) -> None:
        """Start items again."""
        ...


class Recovery:
    """The beat of a host: renews, then looks.

    Args:
        ledger: Where the batches are.
        holding: The host's name.
        tenant: Who runs what is taken up.
    """

    def __init__(self, ledger: Ledger, holding: Holding, tenant: Tenant) -> None:
        self._ledger = ledger
        self._holding = holding
        self._tenant = tenant
        self._claimed: set[int] = set()
        """Those whose claim was sent and that do not run: a failure came between."""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up what was left, and begin to look for more."""
        self._holding.begin()
        await self.look()
        self._task = asyncio.create_task(self._work(), name="hotplane-batch-leases")

    async def stop(self) -> None:
        """Take nothing more up; the leases are kept until `close`."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def close(self) -> None:
        """Give every batch back, so that others need not wait."""
        with suppress(HotplaneError, TimeoutError):  # who ends without that is found to be dead
            await asyncio.wait_for(self._ledger.leases.release(self._holding.holder), _RELEASE_SECONDS)
        self._holding.end()

    async def renew(self) -> None:
        """Renew the leases, and stop what is not ours any more."""
        sent = self._holding.now()
        before = dict(self._tenant.by_number)
        if not before and not self._claimed:
            self._holding.renewed(sent)
            return
        kept = await self._ledger.leases.renew(self._holding.holder, self._holding.lease())
        gone = [live for number, live in before.items() if number not in kept]
        for live in gone:
            stored = await self._ledger.find(live.id)
            if stored is not None and not stored.ended and stored.holder != self._holding.holder:
                self._tenant.lose(live.number)
        self._holding.renewed(sent)
        self._tenant.wake()

    async def look(self) -> None:
        """Take up what nobody runs."""
        others = [lease for lease in await self._ledger.leases.list() if lease.number not in self._tenant.by_number]
        ours = [lease for lease in others if lease.holder == self._holding.holder and lease.number in self._claimed]
        for lease in [*ours, *self._holding.left(others)]:
            if not self._tenant.halted:
                await self._take_over(lease)

    async def _take_over(self, lease: BatchLease) -> None:
        self._claimed.add(lease.number)
        sent = self._holding.now()
        taken = await self._ledger.leases.claim(lease, self._holding.holder, self._holding.lease())
        stored = await self._ledger.find(lease.id) if taken else None
        if stored is not None:
            self._holding.took(sent)
            await self._take_up(stored)
        self._claimed.discard(lease.number)

    async def _take_up(self, stored: StoredBatch) -> None:
        totals = await self._ledger.totals(stored.number)
        if not totals.items:
            await self._ledger.delete(stored.number)
        elif not self._tenant.halted:
            self._tenant.take_up(stored, totals)

    async def _work(self) -> None:
        pause = _BEAT_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = _BEAT_SECONDS
            try:
                await self.renew()
                await self.look()
            except HotplaneError as error:
                _log.warning("the leases on batches could not be renewed", error=str(error))
                pause = _AFTER_FAILURE_SECONDS
