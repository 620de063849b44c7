"""Writing down what became of deliveries, in groups: what gathers while one group is committed is the next one.

Imports only `held`, `clock` and `storage`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from hotplane.errors import HotplaneError
from hotplane.events.clock import WallClock
from hotplane.events.held import Ledger
from hotplane.plugins import Logger
from hotplane.storage import Outcome, StoredDeliveries

__all__ = ["Settler"]

_GATHER_SECONDS = 0.02
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0


class Settler:
    """Settles one handler's deliveries.

    While the store takes nothing, outcomes are kept and tried again; no further deliveries are claimed meanwhile,
    since the places in the ledger stay taken.

    Args:
        handler: Whose.
        holder: Who has the leases.
        ledger: What is held.
        deliveries: Where it is written.
        clock: Of the times that are written.
        log: Told when the store takes nothing.
        on_settled: Told of every group after its commit.
        enough: So many are written at once; fewer wait a moment for others.
    """

    def __init__(
        self,
        handler: str,
        holder: str,
        ledger: Ledger,
        *,
        deliveries: StoredDeliveries,
        clock: WallClock,
        log: Logger,
        on_settled: Callable[[list[Outcome]], None],
        enough: int,
    ) -> None:
        self._handler = handler
        self._holder = holder
        self._ledger = ledger
        self._deliveries = deliveries
        self._clock = clock
        self._log = log
        self._on_settled = on_settled
        self._enough = enough
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def soon(self) -> None:
        """Have what there is written down, after the group that is being written."""
        if self._ledger.unsettled >= self._enough:
            self._hurry.set()
        if self._task is None and self._ledger.unsettled:
            self._task = asyncio.create_task(self._settle_all(), name=f"hotplane-settle-{self._handler}")

    async def finish(self, limit: float) -> bool:
        """Write everything down; false when that was not done within `limit` seconds."""
        self.soon()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=limit)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        return not self._ledger.unsettled

    async def _settle_all(self) -> None:
        pause = 0.0
        try:
            while self._ledger.unsettled:
                try:
                    if not self._hurry.is_set() and self._ledger.unsettled < self._enough:
                        await self._gather()
                    await self._settle()
                    pause = 0.0
                except HotplaneError as error:
                    if not pause:
                        self._log.warning("events.not-settled", handler=self._handler, why=str(error))
                    pause = min(max(_FIRST_PAUSE, 2 * pause), _LONGEST_PAUSE)
                    await asyncio.sleep(pause)
        finally:
            self._task = None

    async def _gather(self) -> None:
        """Give others a moment to end: a group costs little more than a single one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GATHER_SECONDS):
                await self._hurry.wait()

    async def _settle(self) -> None:
        self._hurry.clear()
        batch = self._ledger.take_settlement()
        try:
            await self._deliveries.settle(
                self._handler,
                self._holder,
                batch.outcomes,
                now=self._clock.now(),
                dropped=batch.dropped,
                closed_keys=sorted(batch.closed_keys),
                returned=batch.returned,
                parked=batch.parked,
            )
        except BaseException:
            self._ledger.put_back(batch)
            raise
        self._ledger.held -= len(batch)
        self._on_settled(batch.outcomes)
