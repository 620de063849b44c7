"""Batches that are not this host's to run, as the ledger shows them. Imports `live`, `stored` and `storage`."""

from __future__ import annotations

import asyncio
from time import monotonic

from msgspec.structs import replace

from hotplane.execution.batch.live import status_of
from hotplane.execution.batch.records import BatchState, BatchStatus
from hotplane.execution.batch.stored import decode_batch
from hotplane.execution.batch.tally import Tally
from hotplane.storage import Ledger, StoredBatch

__all__ = ["POLL_SECONDS", "Elsewhere"]

POLL_SECONDS = 0.5
"""From one look at a batch of another host to the next: nobody here is told of its commits."""


class Elsewhere:
    """Ended batches, and those of other hosts.

    Args:
        ledger: Where they are.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def status(self, stored: StoredBatch) -> BatchStatus:
        """Return how a batch is; of one that has not ended the results are counted, which takes longer."""
        status = status_of(decode_batch(stored.body), BatchState(stored.state))
        if stored.ended:
            return status
        totals = await self._ledger.totals(stored.number, sized=False)
        tally = Tally(monotonic)
        tally.take_over(totals)
        return replace(
            status, items=totals.items, done=tally.done, counts=tally.counts(), last_sequence=totals.last_sequence
        )

    async def change(self, stored: StoredBatch, seen: int, seconds: float) -> None:
        """Wait for a result above the sequence `seen`, for another state, or for some seconds."""
        ends_at = monotonic() + seconds
        state = stored.state
        while (left := ends_at - monotonic()) > 0:
            if stored.ended or await self._ledger.newest_result(stored.number) > seen:
                return
            await asyncio.sleep(min(POLL_SECONDS, left))
            again = await self._ledger.find(stored.id)
            if again is None or again.state != state:
                return
            stored = again
