"""A batch that has not ended: its state, its counts, and those who wait for it.

Imports the other files of this room, `storage` and `errors`; it writes nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from msgspec.structs import replace

from hotplane.errors import HotplaneError, ShuttingDown
from hotplane.execution.batch.feed import Feed, ItemStore
from hotplane.execution.batch.lane import Lane
from hotplane.execution.batch.patience import delays
from hotplane.execution.batch.records import BatchState, BatchStatus
from hotplane.execution.batch.stored import BatchRecord, Item
from hotplane.execution.batch.tally import Tally
from hotplane.records import ExecutionStatus, now
from hotplane.storage import Tenure

__all__ = ["LiveBatch", "status_of"]


class LiveBatch:
    """One batch of this host, from its creation, or the host's start, to its end.

    Args:
        number: Its number in the ledger.
        record: What the ledger says of it.
        state: Where it is.
        ledger: Where its items are.
        guarded: Returns whether the ledger must know of an item before it runs.
        held: Returns whether it is surely this host's.
        results: Where the results of all batches are counted, if anywhere.
    """

    lane: Lane[Item]
    """Set by the one who opens it."""

    def __init__(
        self,
        number: int,
        record: BatchRecord,
        state: BatchState,
        ledger: ItemStore,
        *,
        guarded: Callable[[], bool],
        held: Callable[[], bool],
        results: Counter[ExecutionStatus] | None = None,
    ) -> None:
        self.number = number
        self.record = record
        self.state = state
        self.items = record.items
        self.tally = Tally(monotonic, results)
        self.last_sequence = record.last_sequence
        self.problem: str | None = None
        self.open_bytes = 0
        """Size of the items that have no result."""
        self.adding = asyncio.Lock()
        """Held while items are stored, so that nothing is swept while some are on their way."""
        self.delays = delays()
        self.tenure = Tenure()
        self.feed = Feed(
            ledger,
            number,
            guarded=guarded,
            held=held,
            concurrency=record.options.max_concurrency,
            tell=self.tell,
        )
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._complete = asyncio.Event()
        self._watchers: set[asyncio.Future[None]] = set()

    @property
    def id(self) -> str:
        """Its id."""
        return self.record.options.id or ""

    @property
    def stopping(self) -> bool:
        """Whether it starts no more items for ever."""
        return self.state is BatchState.CANCELLING or self._ended.done()

    def status(self) -> BatchStatus:
        """Return how it is."""
        status = status_of(self.record, self.state)
        if status.ended:
            return status
        rate = self.tally.rate()
        known = self.state is BatchState.RUNNING and not self._ended.done()
        return replace(
            status,
            items=self.items,
            done=self.tally.done,
            counts=self.tally.counts(),
            rate_per_second=rate,
            seconds_left=(self.items - self.tally.done) / rate if known and rate else None,
            last_sequence=self.last_sequence,
            problem=self.problem,
        )

    def begin(self) -> None:
        """Note that an item runs."""
        if self.record.started_at is None:
            self.record = replace(self.record, started_at=now())

    def tell(self, problem: str | None) -> None:
        """Note why nothing runs, or that it does again."""
        self.problem = problem

    def recovered(self) -> None:
        """Note that items get through again."""
        self.problem = None
        self.delays = delays()

    def pause(self) -> None:
        """Start nothing more until `go_on`; what runs goes on."""
        self.state = BatchState.PAUSED
        if self.record.paused_at is None:
            self.record = replace(self.record, paused_at=now())
        self.tally.stand()
        self.lane.pause()

    def suspend(self, problem: str) -> None:
        """Pause it for a reason that the operator has to mend."""
        self.problem = problem
        if not self.stopping:
            self.pause()

    def go_on(self) -> None:
        """Start items again."""
        self.problem = None
        self.end_pause()
        self.state = BatchState.RUNNING if self.record.sealed else BatchState.RECEIVING
        self.lane.release()
        self.lane.resume()

    def stop(self, ends_as: BatchState) -> None:
        """Start nothing more and cancel what runs; the first reason to do so counts."""
        if not self.stopping:
            self.end_pause()
            self.record = replace(self.record, ends_as=ends_as)
            self.state = BatchState.CANCELLING
        self.lane.cancel()

    def end_pause(self) -> None:
        """Add a pause, if there is one, to the time that is no part of the run."""
        self.tally.go_on()
        record, resumed_at = self.record, now()
        # What came before the first item is no part of the run; a clock that was set back makes no pause negative.
        since = max(record.paused_at or resumed_at, record.started_at or resumed_at)
        seconds = max(0.0, (resumed_at - since).total_seconds())
        self.record = replace(record, paused_at=None, paused_seconds=record.paused_seconds + seconds)

    # --- those who wait ----------------------------------------------------------------------------------

    def saw(self, sequence: int) -> None:
        """Note the sequence of a result that was committed."""
        if sequence > self.last_sequence:
            self.last_sequence = sequence
            self._wake()

    def complete(self) -> None:
        """Note that every item has its result and no more will come; what is left is to store the end."""
        self._complete.set()
        self.lane.close()

    def end(self, record: BatchRecord, state: BatchState) -> None:
        """Note that it has ended, after the commit."""
        self.record, self.state, self.problem = record, state, None
        self.last_sequence = record.last_sequence
        self._ended.set_result(None)
        self._wake()

    def leave(self, why: HotplaneError | None = None) -> None:
        """Let those go who wait for it: the host stops, or another one has it."""
        if not self._ended.done():
            self._ended.set_exception(why or ShuttingDown())
            self._ended.exception()  # nobody may be waiting, and that is no mistake
            self.tally.stand()
        self._wake()

    async def ended(self) -> None:
        """Wait for its end; raises what it is left with when the host lets go of it first."""
        await asyncio.shield(self._ended)

    async def change(self, seen: int, seconds: float) -> None:
        """Wait for a result above the sequence `seen`, for its end, or for some seconds."""
        if self.last_sequence > seen or self._ended.done():
            return
        watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchers.add(watcher)
        try:
            await asyncio.wait((watcher,), timeout=seconds)
        finally:
            self._watchers.discard(watcher)

    async def completed(self, seconds: float) -> None:
        """Wait until there will be no more results, or for some seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._complete.wait()

    def _wake(self) -> None:
        if self._ended.done():
            self._complete.set()
        watchers, self._watchers = self._watchers, set()
        for watcher in watchers:
            if not watcher.done():
                watcher.set_result(None)


def status_of(record: BatchRecord, state: BatchState) -> BatchStatus:
    """Return the status of a batch as the ledger has it."""
    options = record.options
    return BatchStatus(
        id=options.id or "",
        task_id=options.task_id,
        kind=options.kind,
        state=state,
        truncated=record.truncated,
        items=record.items,
        done=record.counts.done,
        counts=record.counts,
        max_concurrency=options.max_concurrency,
        stop_on_first_error=options.stop_on_first_error,
        item_timeout_ms=options.item_timeout_ms,
        priority=options.priority,
        created_at=record.created_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
        rate_per_second=_rate_of(record),
        seconds_left=None,
        last_sequence=record.last_sequence,
    )


def _rate_of(record: BatchRecord) -> float | None:
    """Return the items per second that ran, over the time an ended batch was not paused."""
    if record.started_at is None or record.finished_at is None:
        return None
    seconds = (record.finished_at - record.started_at).total_seconds() - record.paused_seconds
    return (record.counts.done - record.swept) / seconds if seconds > 0 else None
