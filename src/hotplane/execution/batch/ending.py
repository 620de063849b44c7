"""Brings a batch to its end: what the last host left open, what was cancelled, the counts, the event.

Imports `live`, `stored` and `patience` of this room, `storage`, `records` and `errors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from msgspec import to_builtins
from msgspec.structs import replace

from hotplane.errors import StorageError
from hotplane.execution.batch.live import LiveBatch
from hotplane.execution.batch.patience import insist
from hotplane.execution.batch.records import BatchState, ItemProblem
from hotplane.execution.batch.stored import BatchRecord, decode_item, encode_batch, new_result
from hotplane.identity import new_id
from hotplane.records import Event, EventType, ExecutionStatus, Severity, now
from hotplane.storage import Ledger, StoredItem

__all__ = ["Ending"]

_CHUNK = 256
"""Results without a record that one commit stores."""
_CHUNK_BYTES = 2**22
_AFTER_REFUSAL = 0.05

_CANCELLED = ItemProblem(type="cancelled", message="The batch was cancelled before it ran, or while it did.")
_STOPPED = ItemProblem(type="cancelled", message="Another item failed, and the batch was to stop at the first.")
_INTERRUPTED = ItemProblem(
    type="interrupted",
    message="The host ended while it ran; its task is not idempotent, so that it was not run again.",
)


class Ending:
    """Ends batches.

    Args:
        ledger: Where they are.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def interrupt(self, live: LiveBatch) -> None:
        """Give a result to the items that the last host started and did not finish."""
        while page := await insist(lambda: self._ledger.started(live.number, limit=_CHUNK), live.tell):
            await self._close(live, page, ExecutionStatus.INTERRUPTED, _INTERRUPTED)

    async def finish(self, live: LiveBatch) -> None:
        """Give every item that is left a result, count, and store the end."""
        async with live.adding:
            if live.record.ends_as is not BatchState.COMPLETED:
                # What was queued before is stored when this is: no item that ran is taken for one that did not.
                await self.put(live)
                await self._sweep(live)
        totals = await insist(lambda: self._ledger.totals(live.number), live.tell)
        live.tally.correct(totals)
        state = _end_of(live)
        live.end_pause()
        record = replace(
            live.record,
            ends_as=state,
            finished_at=now(),
            sealed=True,
            items=live.items,
            counts=live.tally.counts(),
            swept=live.tally.swept,
            last_sequence=totals.last_sequence,
        )
        event = _event(record, state)
        await insist(
            lambda: self._ledger.finish(
                live.number, state.value, encode_batch(record), record.finished_at or now(), event
            ),
            live.tell,
        )
        live.end(record, state)

    async def put(self, live: LiveBatch) -> None:
        """Store how a batch is now."""
        body = encode_batch(replace(live.record, items=live.items))
        await insist(lambda: self._ledger.put(live.number, live.state.value, body), live.tell)

    async def _sweep(self, live: LiveBatch) -> None:
        problem = _STOPPED if live.record.ends_as is BatchState.STOPPED else _CANCELLED
        after, refused = 0, True
        while refused:
            after, refused = 0, False
            while page := await self._open_items(live, after):
                refused |= not await self._close(live, page, ExecutionStatus.CANCELLED, problem)
                after = page[-1].position

    def _open_items(self, live: LiveBatch, after: int) -> Awaitable[tuple[StoredItem, ...]]:
        return insist(
            lambda: self._ledger.items(live.number, after=after, limit=_CHUNK, max_bytes=_CHUNK_BYTES), live.tell
        )

    async def _close(
        self, live: LiveBatch, page: Sequence[StoredItem], status: ExecutionStatus, problem: ItemProblem
    ) -> bool:
        """Store results, and tell whether they were taken."""
        results = [new_result(decode_item(stored), status, problem) for stored in page]
        try:
            await insist(lambda: self._ledger.add_results(live.number, results), live.tell)
        except StorageError:
            # One of them got its result meanwhile, and then all are refused: the next look shows which are left.
            await asyncio.sleep(_AFTER_REFUSAL)
            return False
        live.tally.close(status, len(results))
        return True


def _end_of(live: LiveBatch) -> BatchState:
    """Return what it ends as: a cancellation that came when all items were there and had ended cancelled nothing."""
    ends_as = live.record.ends_as
    in_vain = ends_as is BatchState.CANCELLED and live.record.sealed and not live.tally.counts().cancelled
    return BatchState.COMPLETED if in_vain else ends_as


def _event(record: BatchRecord, state: BatchState) -> Event:
    options, finished = record.options, record.finished_at or now()
    counts = record.counts
    flawed = counts.done > counts.succeeded or counts.invalid
    return Event(
        id=new_id(),
        type=EventType.BATCH_FINISHED,
        time=finished,
        severity=Severity.WARNING if flawed or state is not BatchState.COMPLETED else Severity.INFO,
        task_id=options.task_id,
        payload={
            "batch": options.id,
            "kind": options.kind,
            "state": state.value,
            "truncated": record.truncated,
            "items": record.items,
            "counts": to_builtins(counts),
            "seconds": (finished - (record.started_at or record.created_at)).total_seconds(),
        },
    )
