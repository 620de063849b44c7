"""A batch that is told several things, and those who wait for it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from hotplane.errors import ShuttingDown
from hotplane.execution.batch import BatchOptions, BatchState
from hotplane.execution.batch.live import LiveBatch
from hotplane.execution.batch.scheduler import Scheduler
from hotplane.execution.batch.stored import BatchRecord
from hotplane.records import now


@pytest.fixture
async def live():
    """A batch without items."""
    record = BatchRecord(options=BatchOptions(id="b", task_id="t"), created_at=now(), sealed=True)
    ledger: Any = SimpleNamespace()
    made = LiveBatch(1, record, BatchState.RUNNING, ledger, guarded=lambda: False, held=lambda: True)

    async def run(item):
        raise AssertionError

    made.lane = Scheduler().open(made.feed, run, concurrency=1, priority=0)
    return made


async def test_a_full_store_does_not_revive_what_is_cancelled(live):
    """The problem is told, and the batch goes on to its end."""
    live.stop(BatchState.CANCELLED)
    live.suspend("the store is full")
    assert (live.state, live.problem) == (BatchState.CANCELLING, "the store is full")


async def test_the_first_reason_to_stop_counts(live):
    """Who cancels a batch that a failure stopped does not change how it ends."""
    live.stop(BatchState.STOPPED)
    live.stop(BatchState.CANCELLED)
    assert live.record.ends_as is BatchState.STOPPED


async def test_an_end_outlives_the_host(live):
    """A host that stops afterwards does not take the end back from those who ask for it."""
    live.end(live.record, BatchState.COMPLETED)
    live.leave()
    await asyncio.wait_for(live.ended(), 20)
    assert live.state is BatchState.COMPLETED


async def test_all_who_wait_hear_that_the_host_stops(live):
    """Whether they wait for the end or for a change; one who went away meanwhile is nobody's concern."""
    waiting = [asyncio.create_task(live.change(0, 60)) for _ in range(3)]
    ended = asyncio.create_task(live.ended())
    await asyncio.sleep(0)
    waiting[0].cancel()
    live.leave()
    async with asyncio.timeout(20):
        await asyncio.gather(*waiting[1:])
        with pytest.raises(ShuttingDown):
            await ended
