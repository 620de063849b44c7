"""Taking the leases of dead hosts away. Imports only `holder`, `clock`, `plugins` and `storage`."""

from __future__ import annotations

from hotplane.events.clock import WallClock
from hotplane.events.holder import is_certainly_dead
from hotplane.plugins import Clock
from hotplane.storage import StoredDeliveries

__all__ = ["Reclaiming"]

_EVERY_SECONDS = 30.0
_PROOF_SECONDS = 30.0
"""A lease that has ended must stay unchanged for so long on the steady clock before it is taken away: when this
host's wall clock was set forward, every lease seems to have ended, but the living renew theirs by claiming."""


class Reclaiming:
    """Finds the leases that nobody will settle, of one handler.

    Args:
        handler: Whose deliveries.
        holder: This host; its own leases are its lane's business.
        deliveries: Where they are.
        clock: The steady clock.
        wall: The clock in which leases are written.
    """

    def __init__(self, handler: str, holder: str, deliveries: StoredDeliveries, clock: Clock, wall: WallClock) -> None:
        self._handler = handler
        self._holder = holder
        self._deliveries = deliveries
        self._clock = clock
        self._wall = wall
        self._looked_at = clock.monotonic()
        self._ended: dict[tuple[str, int], float] = {}

    async def recover(self) -> None:
        """Go on where an earlier life of this host ended: its leases, its clock, and what waits for its turn."""
        for holder in await self._deliveries.leases(self._handler):
            if holder != self._holder and is_certainly_dead(holder):
                await self._deliveries.reclaim(self._handler, holder, now=self._wall.now())
        await self._deliveries.rebase(self._handler, self._wall.now())
        await self._deliveries.unpark(self._handler)

    async def look(self) -> None:
        """Take away what dead hosts hold, if it is time to look."""
        steady = self._clock.monotonic()
        if steady < self._looked_at + _EVERY_SECONDS:
            return
        self._looked_at = steady
        leases = await self._deliveries.leases(self._handler)
        others = {(holder, end) for holder, end in leases.items() if holder != self._holder}
        ended = {lease for lease in others if lease[1] <= self._wall.now()}
        self._ended = {lease: self._ended.get(lease, steady) for lease in ended}
        for holder, end in others:
            if is_certainly_dead(holder):
                await self._deliveries.reclaim(self._handler, holder, now=self._wall.now())
            elif steady - self._ended.get((holder, end), steady) >= _PROOF_SECONDS:
                await self._deliveries.reclaim(self._handler, holder, now=self._wall.now(), ended_by=end)
