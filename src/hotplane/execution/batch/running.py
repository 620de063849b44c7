"""The batches of this host that have not ended: opened, driven to their end, taken up when others left them.

Imports the other files of this room, `pipeline`, `tasks`, `storage`, `records` and `errors`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from hotplane.errors import BatchElsewhere, HotplaneError, ShuttingDown, TaskNotRunnable, UnknownTask
from hotplane.execution.batch.ending import Ending
from hotplane.execution.batch.holding import Holding
from hotplane.execution.batch.keeping import Keeping
from hotplane.execution.batch.live import LiveBatch
from hotplane.execution.batch.patience import insist
from hotplane.execution.batch.records import BatchState
from hotplane.execution.batch.recovery import Recovery
from hotplane.execution.batch.scheduler import Scheduler
from hotplane.execution.batch.settings import BatchSettings
from hotplane.execution.batch.spool import Spool
from hotplane.execution.batch.stored import BatchRecord, decode_batch
from hotplane.execution.batch.work import RecordStore, Work
from hotplane.execution.pipeline import Pipeline
from hotplane.execution.tasks import Plan
from hotplane.log import get_logger
from hotplane.records import ExecutionStatus
from hotplane.storage import BatchTotals, Commits, Committed, Ledger, StoredBatch

__all__ = ["BatchStore", "Running"]

_log = get_logger(room="batches")


class BatchStore(RecordStore, Protocol):
    """The store as batches need it."""

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        ...

    @property
    def commits(self) -> Commits:
        """Tells of commits."""
        ...


class Running:
    """The live batches by id.

    Args:
        store: Where they are kept.
        pipeline: Runs their items.
        plan: Finds a task; raises UnknownTask or TaskNotRunnable.
        settings: Limits.
        places: Returns where items of a task wait for a thread; None where they need none.
    """

    def __init__(
        self,
        *,
        store: BatchStore,
        pipeline: Pipeline,
        plan: Callable[[str], Plan],
        settings: BatchSettings,
        places: Callable[[Plan], asyncio.Semaphore | None],
    ) -> None:
        self.holding = Holding()
        self.ledger = store.ledger.held_by(self.holding.holder, self.lose)
        self.ending = Ending(self.ledger)
        self.spool = Spool(settings.max_spooled_bytes)
        self.live: dict[str, LiveBatch] = {}
        self.by_number: dict[int, LiveBatch] = {}
        self.results: Counter[ExecutionStatus] = Counter()
        """Of items of all batches, since the process began."""
        self._plan = plan
        self._commits = store.commits
        # Single calls go before items: somebody waits for each of them.
        self._scheduler = Scheduler(settings.max_concurrency, urgent=lambda: pipeline.calls > 0)
        self._work = Work(
            pipeline=pipeline,
            plan=plan,
            records=store,
            ledger=self.ledger,
            relieve=self.spool.relieve,
            places=places,
        )
        self._keeping = Keeping(self.ledger, settings.keep_days)
        self._recovery = Recovery(self.ledger, self.holding, self)
        self._leaving: set[asyncio.Task[None]] = set()
        """Workers of batches that were lost."""
        self._drivers: dict[str, asyncio.Task[None]] = {}
        self._deaf: Callable[[], None] | None = None
        self.halted = False

    async def start(self) -> None:
        """Take up what was left, keep the leases, and begin to delete what is outdated."""
        self._deaf = self._commits.listen(self._hear)
        await self._recovery.start()
        self._keeping.start()

    def halt(self) -> None:
        """Start no more items and take no more in; those that run go on."""
        self.halted = True
        self._scheduler.halt()
        self.spool.close()

    async def close(self) -> None:
        """Let go of everything, once the pipeline is closed; what has not ended stays in the ledger."""
        self.halt()
        await self._keeping.close()
        await self._recovery.stop()
        # What the pipeline interrupted is being counted; what waits for the store is queued there when cancelled.
        await _end([*self._leaving, *(worker for live in self.live.values() for worker in live.lane.workers)])
        await _end(self._drivers.values())
        for live in tuple(self.live.values()):
            with suppress(
                HotplaneError, TimeoutError
            ):  # the next start finds what could not be stored now as it was before
                await self._lay_down(live)
            live.leave()
        await self._recovery.close()
        if self._deaf is not None:
            self._deaf()

    def open(self, number: int, record: BatchRecord, state: BatchState, *, left_open: bool = False) -> LiveBatch:
        """Make a batch live.

        Args:
            number: Its number in the ledger.
            record: What the ledger says of it.
            state: Where it is.
            left_open: Whether another host had it before.
        """
        options = record.options
        guarded = partial(self._is_guarded, options.task_id)
        live = LiveBatch(
            number, record, state, self.ledger, guarded=guarded, held=self.holding.sure, results=self.results
        )
        live.lane = self._scheduler.open(
            live.feed,
            partial(self._work.run, live),
            concurrency=options.max_concurrency,
            priority=options.priority,
        )
        live.feed.wake, live.feed.finished = live.lane.wake, live.complete
        if state is BatchState.PAUSED:
            live.pause()
        self.live[live.id] = self.by_number[number] = live
        driver = self._drivers[live.id] = asyncio.create_task(self._drive(live, left_open=left_open))
        driver.add_done_callback(partial(self._driven, live))
        return live

    async def forget(self, live: LiveBatch) -> None:
        """Delete a batch to which nothing came."""
        live.lane.cancel()
        await _end((self._drivers[live.id],))
        self._drop(live)
        live.leave()
        await self.ledger.delete(live.number)

    # --- driving -----------------------------------------------------------------------------------------

    async def _drive(self, live: LiveBatch, *, left_open: bool) -> None:
        if left_open:
            await self._clear_up(live)
        await live.lane.join()
        await self.ending.finish(live)
        self.spool.relieve(live, live.open_bytes)
        self._drop(live)
        await insist(lambda: self.ledger.purge(live.number), live.tell)

    def _driven(self, live: LiveBatch, driver: asyncio.Task[None]) -> None:
        if self._drivers.get(live.id) is driver:
            del self._drivers[live.id]
        error = None if driver.cancelled() else driver.exception()
        if error is not None and not isinstance(error, ShuttingDown | BatchElsewhere):
            live.tell(f"The host failed in an unforeseen way; its log says more, a restart goes on. ({error})")
            _log.error("a batch could not be brought to its end", batch=live.id, exc_info=error)

    def _drop(self, live: LiveBatch) -> None:
        self.live.pop(live.id, None)
        self.by_number.pop(live.number, None)

    def _is_guarded(self, task_id: str) -> bool:
        try:
            return not self._plan(task_id).task.idempotent
        except (UnknownTask, TaskNotRunnable):
            return False

    def _hear(self, committed: Committed) -> None:
        for number, sequence in committed.batches.items():
            live = self.by_number.get(number)
            if live is not None:
                live.saw(sequence)

    # --- what others left, and what others took ----------------------------------------------------------

    def take_up(self, stored: StoredBatch, totals: BatchTotals) -> None:
        """Go on with a batch that another host, or this one before, left; it is this host's already."""
        record = decode_batch(stored.body)
        if not record.sealed:
            record = replace(record, sealed=True, truncated=True)
        state = BatchState(stored.state)
        if state is BatchState.RECEIVING:
            state = BatchState.RUNNING
        live = self.open(stored.number, replace(record, items=totals.items), state, left_open=True)
        live.tally.take_over(totals)
        # A few of them may have run: what the last host cancelled before it was lost cannot be told apart.
        live.tally.swept = live.tally.counts().cancelled
        live.last_sequence = totals.last_sequence
        self.spool.take(live, totals.open_bytes)
        _log.info("batch.taken-up", batch=live.id, items=totals.items, done=live.tally.done, state=state.value)

    def lose(self, number: int) -> None:
        """Stop a batch at once that another host has; what runs of it is recorded, but is no result of the batch."""
        live = self.by_number.get(number)
        if live is None:
            return
        live.tenure.over = True
        self._drop(live)
        live.feed.abandon()
        self._leaving |= live.lane.workers
        live.lane.cancel()
        self._drivers[live.id].cancel()
        self.spool.relieve(live, live.open_bytes)
        live.leave(BatchElsewhere(live.id, "it has taken it over"))
        _log.warning("batch.lost", batch=live.id, done=live.tally.done)

    def wake(self) -> None:
        """Look at every batch again: it is known anew that they are this host's."""
        for live in self.live.values():
            live.lane.wake()

    async def _clear_up(self, live: LiveBatch) -> None:
        """Give what was started and not finished its result; then let the rest run, or be swept."""
        await self.ending.interrupt(live)
        totals = await insist(lambda: self.ledger.totals(live.number), live.tell)
        live.tally.correct(totals)
        await self.ending.put(live)
        live.feed.grow(totals.last_position)
        live.feed.seal()
        if live.state is BatchState.CANCELLING:
            live.lane.cancel()

    async def _lay_down(self, live: LiveBatch) -> None:
        """Leave a batch in the ledger for the next start."""
        unused = await live.feed.close()
        if unused:
            await self.ledger.unstart(live.number, unused)
        if live.state is not BatchState.CANCELLING and live.problem is None:
            await self._put_once(live)

    def _put_once(self, live: LiveBatch) -> Awaitable[None]:
        return asyncio.wait_for(self.ending.put(live), 1.0)


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they have ended."""
    left = tuple(tasks)
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)
