"""How batches begin and how items get into them, each step whole or not at all.

Imports `running`, `live`, `records` and `stored` of this room, `records` and `errors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import TypeVar

from msgspec.structs import replace

from hotplane.errors import BatchElsewhere, BatchEnded, BatchTooLarge, EmptyBatch, ShuttingDown
from hotplane.execution.batch.live import LiveBatch
from hotplane.execution.batch.records import BatchOptions, BatchState, NewItem
from hotplane.execution.batch.running import Running
from hotplane.execution.batch.stored import BatchRecord, encode_batch, encode_item, refusals
from hotplane.log import get_logger
from hotplane.records import ExecutionStatus, now

__all__ = ["Filling"]

T = TypeVar("T")

_log = get_logger(room="batches")


class Filling:
    """Fills the live batches.

    Args:
        running: The live batches.
        max_items: Items that one may have.
    """

    def __init__(self, running: Running, max_items: int) -> None:
        self._running = running
        self._max_items = max_items

    async def create(self, options: BatchOptions) -> LiveBatch:
        """Store a batch and make it live."""
        return await _whole(self._create(options))

    async def add(self, live: LiveBatch, items: Sequence[NewItem]) -> None:
        """Store items of a batch, when there is room for them, and let them run."""
        self._check_open(live)
        await self._running.spool.room(live)
        await _whole(self._add(live, items))

    async def seal(self, live: LiveBatch, *, truncated: bool) -> None:
        """Store that no more items will come."""
        await _whole(self._seal(live, truncated=truncated))

    async def _create(self, options: BatchOptions) -> LiveBatch:
        record = BatchRecord(options=options, created_at=now())
        state = BatchState.RECEIVING
        running, holding = self._running, self._running.holding
        sent, body = holding.now(), encode_batch(record)
        number = await running.ledger.create(
            options.id or "", options.task_id, state.value, body, lease_until=holding.lease()
        )
        holding.took(sent)
        return running.open(number, record, state)

    async def _add(self, live: LiveBatch, items: Sequence[NewItem]) -> None:
        async with live.adding:
            self._check_open(live)
            if live.items + len(items) > self._max_items:
                raise BatchTooLarge(self._max_items, "items", "batches.max_items")
            if items:
                await self._store(live, items)

    async def _seal(self, live: LiveBatch, *, truncated: bool) -> None:
        async with live.adding:
            if live.record.sealed or live.stopping:
                return
            if not live.items:
                await self._running.forget(live)
                raise EmptyBatch
            live.record = replace(live.record, sealed=True, truncated=truncated)
            if live.state is BatchState.RECEIVING:
                live.state = BatchState.RUNNING
            await self._running.ending.put(live)
            live.feed.seal()

    async def _store(self, live: LiveBatch, items: Sequence[NewItem]) -> None:
        rows = [encode_item(item) for item in items]
        refused = refusals(items)
        sequence = await self._running.ledger.append(live.number, rows, refused)
        live.items += len(items)
        if refused:
            live.saw(sequence)
            live.tally.add(ExecutionStatus.REJECTED, len(refused))
        fresh = [row for row, item in zip(rows, items, strict=True) if item.problem is None]
        self._running.spool.take(live, sum(len(row.body) for row in fresh))
        live.feed.grow(items[-1].position, fresh)
        if refused and live.record.options.stop_on_first_error:
            live.stop(BatchState.STOPPED)

    def _check_open(self, live: LiveBatch) -> None:
        if self._running.halted:
            raise ShuttingDown
        if live.tenure.over:
            raise BatchElsewhere(live.id, "it has taken it over")
        if live.stopping or live.record.sealed:
            raise BatchEnded(live.id, live.state.value)


async def _whole(step: Coroutine[None, None, T]) -> T:
    """Return what a step returns; a caller that goes away does not cut it in two."""
    task = asyncio.ensure_future(step)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_look)
        raise


def _look(task: asyncio.Future[T]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.warning("a step of a batch failed after its caller had left", error=str(error))
