"""Runs one item and sees to it that its result is stored.

Imports `live`, `pipeline`, `tasks`, `storage`, `records` and `errors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from msgspec import UNSET

from hotplane.errors import (
    BatchElsewhere,
    HotplaneError,
    Invalid,
    OutputRejected,
    ShuttingDown,
    StorageError,
    StorageFull,
    TaskNotRunnable,
    Unavailable,
    UnknownTask,
)
from hotplane.execution.batch.live import LiveBatch
from hotplane.execution.batch.patience import delays, insist, passing
from hotplane.execution.batch.records import BatchState, ItemProblem
from hotplane.execution.batch.stored import Item, new_result
from hotplane.execution.pipeline import Pipeline
from hotplane.execution.recording import NotStored
from hotplane.execution.tasks import Plan
from hotplane.log import get_logger
from hotplane.records import Execution, ExecutionStatus
from hotplane.storage import NewResult, Place, Told

__all__ = ["RecordStore", "ResultStore", "Work"]

_log = get_logger(room="batches")

_STRIKES = frozenset({ExecutionStatus.ERROR, ExecutionStatus.TIMEOUT, ExecutionStatus.REJECTED})


class RecordStore(Protocol):
    """Where records go that the pipeline could not store."""

    async def record(
        self, execution: Execution, events: Sequence[Told], *, limit: float | None, place: Place | None
    ) -> Execution:
        """Store a record."""
        ...

    def record_soon(self, execution: Execution, events: Sequence[Told], *, place: Place | None) -> None:
        """Queue a record."""
        ...


class ResultStore(Protocol):
    """Where results go that have no record."""

    async def add_results(self, number: int, results: Sequence[NewResult]) -> None:
        """Store results."""
        ...

    async def has_position(self, number: int, position: int) -> bool:
        """Return whether an item has its result."""
        ...


class Work:
    """Runs the items of all batches.

    Args:
        pipeline: Runs an execution and stores it.
        plan: Finds a task.
        records: The store.
        ledger: Its ledger.
        relieve: Told the size of each item that has its result.
        places: Returns where items of a task wait for a thread before their time begins; None where they need none.
    """

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        plan: Callable[[str], Plan],
        records: RecordStore,
        ledger: ResultStore,
        relieve: Callable[[LiveBatch, int], None],
        places: Callable[[Plan], asyncio.Semaphore | None],
    ) -> None:
        self._pipeline = pipeline
        self._plan = plan
        self._records = records
        self._ledger = ledger
        self._relieve = relieve
        self._places = places

    async def run(self, live: LiveBatch, item: Item) -> None:
        """Run an item; it ends with a result in the ledger, or goes back to its feed."""
        try:
            await self._run(live, item)
        except Exception:
            # A mistake of this program must not leave the batch waiting for ever.
            _log.exception("an item of a batch failed in an unforeseen way", batch=live.id, position=item.position)
            error = HotplaneError("The host failed in an unforeseen way; its log says more.")
            await self._refuse(live, item, ExecutionStatus.ERROR, error)

    async def _run(self, live: LiveBatch, item: Item) -> None:
        live.begin()
        try:
            plan = self._plan(live.record.options.task_id)
        except (UnknownTask, TaskNotRunnable) as error:
            await self._refuse(live, item, ExecutionStatus.ERROR, error)
            return
        places = self._places(plan)
        if places is None:
            await self._attempt(plan, live, item)
            return
        await _wait_for_one(places, live, item)
        try:
            if live.lane.open:
                await self._attempt(plan, live, item)
            else:
                live.feed.give_back(item)
        finally:
            places.release()

    async def _attempt(self, plan: Plan, live: LiveBatch, item: Item) -> None:
        try:
            execution = await self._execute(plan, live, item)
        except NotStored as unstored:
            await self._store_later(live, item, unstored)
        except ShuttingDown:
            live.feed.give_back(item)
        except Unavailable as error:
            self._postpone(live, item, error)
        except Invalid as error:
            await self._reject(live, item, error)
        except HotplaneError as error:
            await self._refuse(live, item, ExecutionStatus.ERROR, error)
        else:
            self._settle(live, item, execution)

    def _execute(self, plan: Plan, live: LiveBatch, item: Item) -> Awaitable[Execution]:
        return self._pipeline.execute(
            plan,
            item.input,
            expected=item.expected,
            timeout_ms=item.timeout_ms or live.record.options.item_timeout_ms,
            place=_place(live, item),
            sample=item.sample,
        )

    def _postpone(self, live: LiveBatch, item: Item, error: Unavailable) -> None:
        """Let the whole batch wait: what refused this item would refuse the next one, too."""
        live.tell(str(error))
        live.feed.give_back(item)
        if not live.lane.held:  # those that ran beside it fail at the same time, and are no further reason
            live.lane.hold(next(live.delays))

    async def _store_later(self, live: LiveBatch, item: Item, unstored: NotStored) -> None:
        """Keep an execution that ran until the store takes it: it must not run again."""
        try:
            execution = await self._insist_on_record(live, item, unstored)
        except asyncio.CancelledError:
            self._records.record_soon(unstored.execution, unstored.events, place=_place(live, item))
            raise
        except ShuttingDown:
            return
        except StorageError as error:
            if await insist(lambda: self._ledger.has_position(live.number, item.position), live.tell):
                self._settle(live, item, unstored.execution)  # the commit whose answer was lost was stored after all
            else:
                await self._refuse(live, item, ExecutionStatus.ERROR, error)
            return
        self._settle(live, item, execution)

    async def _insist_on_record(self, live: LiveBatch, item: Item, unstored: NotStored) -> Execution:
        error: HotplaneError = unstored.error
        waits = delays()
        while True:
            if not passing(error):
                raise error
            if isinstance(error, StorageFull):
                live.suspend(str(error))
            live.tell(str(error))
            delay = next(waits)
            live.lane.hold(delay)
            await asyncio.sleep(delay)
            try:
                return await self._records.record(
                    unstored.execution, unstored.events, limit=None, place=_place(live, item)
                )
            except HotplaneError as again:
                error = again

    async def _reject(self, live: LiveBatch, item: Item, error: Invalid) -> None:
        if getattr(error, "execution_id", None) is None:
            await self._refuse(live, item, ExecutionStatus.REJECTED, error)
        elif isinstance(error, OutputRejected):
            self._count(live, item, ExecutionStatus.REJECTED, sampled=error.sampled, valid=error.valid)
        else:
            self._count(live, item, ExecutionStatus.REJECTED)

    async def _refuse(self, live: LiveBatch, item: Item, status: ExecutionStatus, error: HotplaneError) -> None:
        """Store the result of an item that has no record."""
        result = new_result(item, status, ItemProblem(type=error.code, message=str(error)))
        try:
            await insist(lambda: self._ledger.add_results(live.number, (result,)), live.tell)
        except (ShuttingDown, BatchElsewhere):
            return
        except StorageError as refused:  # it has a result, from a commit whose answer was lost
            _log.warning("the result of an item was refused", batch=live.id, position=item.position, why=str(refused))
        self._count(live, item, status)

    def _settle(self, live: LiveBatch, item: Item, execution: Execution) -> None:
        sampling = execution.sampling
        sampled = sampling is not None and sampling.sampled
        if execution.sequence is not UNSET:
            live.saw(execution.sequence)
        self._count(live, item, execution.status, sampled=sampled, valid=execution.valid)

    def _count(
        self, live: LiveBatch, item: Item, status: ExecutionStatus, *, sampled: bool = False, valid: bool | None = None
    ) -> None:
        live.tally.add(status, sampled=sampled, valid=valid)
        if live.problem is not None and live.state is not BatchState.PAUSED:
            live.recovered()
        self._relieve(live, item.size)
        live.feed.settle(item)
        if live.record.options.stop_on_first_error and status in _STRIKES:
            live.stop(BatchState.STOPPED)


async def _wait_for_one(places: asyncio.Semaphore, live: LiveBatch, item: Item) -> None:
    try:
        await places.acquire()
    except asyncio.CancelledError:
        live.feed.give_back(item)  # it did not run: where it was noted as started, that is taken back
        raise


def _place(live: LiveBatch, item: Item) -> Place:
    return Place(
        batch=live.number,
        position=item.position,
        item_id=item.item_id,
        correlation_id=item.correlation_id,
        tenure=live.tenure,
    )
