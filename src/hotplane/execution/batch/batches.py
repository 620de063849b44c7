"""Batches and streams as the rest of the host sees them.

Imports this room, `execution`, `storage`, `records`, `identity` and `errors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from msgspec.structs import replace

from hotplane.errors import (
    BatchElsewhere,
    BatchEnded,
    BatchNotEnded,
    Conflict,
    InvalidCursor,
    Overloaded,
    ShuttingDown,
    UnknownBatch,
)
from hotplane.execution.batch.elsewhere import POLL_SECONDS, Elsewhere
from hotplane.execution.batch.filling import Filling
from hotplane.execution.batch.holding import name_of
from hotplane.execution.batch.judging import Judging
from hotplane.execution.batch.live import LiveBatch
from hotplane.execution.batch.metrics import batch_families
from hotplane.execution.batch.options import check_options
from hotplane.execution.batch.records import (
    BatchOptions,
    BatchState,
    BatchStatus,
    Candidate,
    ItemResult,
    ItemVerdict,
    NewItem,
)
from hotplane.execution.batch.running import BatchStore, Running
from hotplane.execution.batch.settings import BatchSettings
from hotplane.execution.batch.stored import to_result
from hotplane.execution.pipeline import Pipeline
from hotplane.execution.tasks import Plan
from hotplane.host.exposition import Family
from hotplane.identity import new_id
from hotplane.storage import BatchFilter, Page, StoredBatch

__all__ = ["Batches"]


class Batches:
    """The batches and streams of a host; `Hotplane.batches`.

    Args:
        store: Where they are kept.
        pipeline: Runs their items.
        plan: Finds a task; raises UnknownTask or TaskNotRunnable.
        judging: Asks the validators.
        settings: Limits.
        places: Returns where items of a task wait for a thread before their time begins; None where they need none.
    """

    def __init__(
        self,
        *,
        store: BatchStore,
        pipeline: Pipeline,
        plan: Callable[[str], Plan],
        judging: Judging,
        settings: BatchSettings,
        places: Callable[[Plan], asyncio.Semaphore | None],
    ) -> None:
        self.settings = settings
        self._plan = plan
        self._judging = judging
        self._ledger = store.ledger
        self._running = Running(store=store, pipeline=pipeline, plan=plan, settings=settings, places=places)
        self._elsewhere = Elsewhere(self._ledger)
        self._filling = Filling(self._running, settings.max_items)

    # --- life --------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Go on with the batches that the last host left."""
        await self._running.start()

    def halt(self) -> None:
        """Start nothing more: what runs goes on until the pipeline closes."""
        self._running.halt()

    async def close(self) -> None:
        """Let go of every batch; those that have not ended stay in the ledger. Called after the pipeline's close."""
        await self._running.close()

    # --- filling -----------------------------------------------------------------------------------------

    async def create(self, options: BatchOptions) -> BatchStatus:
        """Begin a batch that receives items; those that come run at once.

        Raises:
            UnknownTask, TaskNotRunnable: The task cannot run.
            Invalid: An option is out of its range; `problems` says which.
            Overloaded: Too many batches have not ended.
            ShuttingDown: The host stops.
            StorageError, StorageUnavailable: It was not stored.
        """
        if self._running.halted:
            raise ShuttingDown
        check_options(options, self._plan(options.task_id).task)
        if len(self._running.live) >= self.settings.max_running:
            raise Overloaded("The set of batches that have not ended", self.settings.max_running, "batches.max_running")
        if options.id is not None and await self._ledger.find(options.id) is not None:
            raise Conflict(f"There is a batch {options.id!r} already. Give another id, or none.")
        return (await self._filling.create(replace(options, id=options.id or new_id()))).status()

    async def add(self, batch_id: str, items: Sequence[NewItem]) -> None:
        """Store more items and return after their commit; waits while too much is stored and not done.

        Args:
            batch_id: A batch that receives.
            items: In order of position; a few hundred at a time are best.

        Raises:
            UnknownBatch: There is none.
            BatchEnded: It was sealed, cancelled or stopped: nobody wants more items.
            BatchTooLarge: There are more than `batches.max_items`; none of these were stored.
            ShuttingDown, StorageError, StorageUnavailable: They were not stored.
        """
        live = await self._unended(batch_id)
        await self._filling.add(live, items)

    async def seal(self, batch_id: str, *, truncated: bool = False) -> BatchStatus:
        """Say that no more items will come. Sealing twice, or a batch that has ended, does nothing.

        Raises:
            UnknownBatch: There is none.
            EmptyBatch: No item came; the batch is gone.
        """
        live = self._running.live.get(batch_id)
        if live is None:
            return await self._ended(batch_id)
        if live.record.sealed or live.stopping:
            return live.status()
        await self._filling.seal(live, truncated=truncated)
        return live.status()

    async def get(self, batch_id: str) -> BatchStatus:
        """Return a batch, live or ended, or raise UnknownBatch."""
        live = self._running.live.get(batch_id)
        return live.status() if live is not None else await self._status(await self._find(batch_id))

    async def list(
        self, *, task_id: str | None = None, state: BatchState | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[BatchStatus]:
        """Return batches and streams, newest first; raises InvalidCursor and Invalid (limit 1 to 1000)."""
        wanted = BatchFilter(task_id=task_id, state=None if state is None else state.value)
        page = await self._ledger.list(wanted, limit=limit, cursor=cursor)
        return Page(tuple([await self._status(stored) for stored in page.items]), page.next_cursor)

    async def pause(self, batch_id: str) -> BatchStatus:
        """Start no more items; those that run finish. More items may still be added.

        Raises:
            UnknownBatch: There is none.
            BatchEnded: It has ended or is being cancelled.
        """
        live = await self._unended(batch_id)
        live.pause()
        await self._running.ending.put(live)
        return live.status()

    async def resume(self, batch_id: str) -> BatchStatus:
        """Go on after a pause, also one that a full disk caused; raises as `pause`."""
        live = await self._unended(batch_id)
        live.go_on()
        await self._running.ending.put(live)
        return live.status()

    async def cancel(self, batch_id: str) -> BatchStatus:
        """Cancel what runs and what waits; returns at once, `wait` tells when it is done. An ended one is left alone.

        Raises:
            UnknownBatch: There is none.
        """
        live = self._running.live.get(batch_id)
        if live is None:
            return await self._ended(batch_id)
        live.stop(BatchState.CANCELLED)
        self._running.spool.look()
        await self._running.ending.put(live)
        return live.status()

    async def delete(self, batch_id: str) -> None:
        """Forget an ended batch and its results, not its executions; raises UnknownBatch and BatchNotEnded."""
        live = self._running.live.get(batch_id)
        if live is not None:
            raise BatchNotEnded(batch_id, live.state.value)
        stored = await self._find(batch_id)
        if not stored.ended:
            raise BatchNotEnded(batch_id, stored.state)
        await self._ledger.delete(stored.number)

    async def results(self, batch_id: str, *, after: int = 0, limit: int = 1000) -> tuple[ItemResult, ...]:
        """Return results in ledger order, above the sequence `after`; none are skipped, also while it runs.

        Raises:
            UnknownBatch: There is none.
            Invalid: The limit is not 1 to 1000.
        """
        rows = await self._ledger.results(await self._number(batch_id), after=after, limit=limit)
        return tuple(map(to_result, rows))

    async def check_cursor(self, batch_id: str, after: int) -> None:
        """Make sure that `after` is 0 or the sequence of a result here; raises UnknownBatch and InvalidCursor."""
        number = await self._number(batch_id)
        if after and not await self._ledger.has_result(number, after):
            raise InvalidCursor(str(after))

    async def changed(self, batch_id: str, seen: int, timeout: float) -> BatchStatus:
        """Return when there is a result above the sequence `seen`, the batch has ended, or `timeout` seconds passed."""
        live = self._running.live.get(batch_id)
        if live is None:
            await self._elsewhere.change(await self._find(batch_id), seen, timeout)
            return await self.get(batch_id)
        await live.change(seen, timeout)
        return live.status() if not live.tenure.over else await self.get(batch_id)

    async def completed(self, batch_id: str, timeout: float) -> None:
        """Return when there will be no more results of a batch of this host, or `timeout` seconds passed."""
        live = self._running.live.get(batch_id)
        await (asyncio.sleep(timeout) if live is None else live.completed(timeout))

    async def wait(self, batch_id: str, timeout: float | None = None) -> BatchStatus:
        """Return when the batch has ended.

        Raises:
            TimeoutError: `timeout` seconds passed first.
            ShuttingDown: The host stopped first; the next start goes on with the batch.
        """
        if batch_id not in self._running.live and (status := await self.get(batch_id)).ended:
            return status
        async with asyncio.timeout(timeout):
            while (status := await self._end(batch_id)) is None:  # noqa: ASYNC110 - another process tells nobody
                await asyncio.sleep(POLL_SECONDS)
        return status

    async def validate_items(self, task_id: str, items: Sequence[Candidate]) -> tuple[ItemVerdict, ...]:
        """Judge outputs with the host's validators; runs no program and stores nothing.

        Raises:
            UnknownTask, TaskNotRunnable: The task cannot be used.
            NotJson: A candidate cannot be a record.
        """
        return await self._judging.judge(self._plan(task_id), items)

    def families(self) -> Iterator[Family]:
        """Yield the metrics of batches."""
        return batch_families(self._running.live.values(), self._running.results)

    # --- what several of them need -----------------------------------------------------------------------

    async def _unended(self, batch_id: str) -> LiveBatch:
        live = self._running.live.get(batch_id)
        if live is None or live.stopping:
            raise BatchEnded(batch_id, (await self._ended(batch_id)).state.value)
        return live

    async def _end(self, batch_id: str) -> BatchStatus | None:
        """Wait for the end of a batch that is this host's; None where it is not, or no longer."""
        live = self._running.live.get(batch_id)
        if live is not None:
            with suppress(BatchElsewhere):
                await live.ended()
                return live.status()
        elif (await self._find(batch_id)).ended:
            return await self.get(batch_id)
        if self._running.halted:
            raise ShuttingDown
        return None

    async def _ended(self, batch_id: str) -> BatchStatus:
        """Return a batch that is this host's, or that has ended; raises BatchElsewhere."""
        stored = None if batch_id in self._running.live else await self._find(batch_id)
        if stored is not None and not stored.ended:
            raise BatchElsewhere(batch_id, name_of(stored.holder))
        return await self.get(batch_id)

    async def _number(self, batch_id: str) -> int:
        live = self._running.live.get(batch_id)
        return live.number if live is not None else (await self._find(batch_id)).number

    async def _find(self, batch_id: str) -> StoredBatch:
        if (stored := await self._ledger.find(batch_id)) is None:
            raise UnknownBatch(batch_id)
        return stored

    async def _status(self, stored: StoredBatch) -> BatchStatus:
        live = self._running.live.get(stored.id)
        return live.status() if live is not None else await self._elsewhere.status(stored)
