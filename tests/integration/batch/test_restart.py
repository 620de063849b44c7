"""Batches that outlive their host."""

from __future__ import annotations

import asyncio

import pytest

from hotplane.errors import ShuttingDown, UnknownBatch
from hotplane.execution.batch import BatchOptions, BatchState
from hotplane.records import ExecutionStatus
from hotplane.storage import StorageSettings, Store
from tests.integration.batch.conftest import items, restarted, submit, until


@pytest.fixture
async def first(build):
    """A running host that the test stops."""
    host = build()
    await host.start()
    yield host
    await host.stop()


async def test_the_next_host_finishes_what_waited(first, build, module):
    """What was running is interrupted, what waited runs, what was done is left alone."""
    made = await submit(first, "gated", 300, max_concurrency=4)
    await until(lambda: len(module().ran) == 4)
    async with restarted(build, first) as second:
        await until(lambda: len(module().ran) == 8)
        module().opened.set()
        ended = await second.batches.wait(made.id, 60)
        assert (ended.items, ended.counts.interrupted, ended.counts.succeeded) == (300, 4, 296)
        assert len(module().ran) == len(set(module().ran)) == 300


async def test_a_batch_that_received_is_sealed(first, build):
    """What had arrived runs, and the batch says that it is not whole."""
    made = await first.batches.create(BatchOptions(task_id="echo"))
    await first.batches.add(made.id, items(20))
    async with restarted(build, first) as second:
        ended = await second.batches.wait(made.id, 60)
        assert (ended.state, ended.truncated, ended.done) == (BatchState.COMPLETED, True, 20)


async def test_a_batch_without_items_is_forgotten(first, build):
    """Nothing had come, so that nothing is left to do."""
    made = await first.batches.create(BatchOptions(task_id="echo"))
    async with restarted(build, first) as second:
        with pytest.raises(UnknownBatch):
            await second.batches.get(made.id)


async def test_a_paused_batch_stays_paused(first, build, module):
    """It goes on when it is resumed, not when the host starts."""
    made = await submit(first, "gated", 30, max_concurrency=1)
    await until(lambda: module().ran == [1])
    await first.batches.pause(made.id)
    async with restarted(build, first) as second:
        assert (await second.batches.get(made.id)).state is BatchState.PAUSED
        module().opened.set()
        await second.batches.resume(made.id)
        assert (await second.batches.wait(made.id, 60)).counts.succeeded == 29


async def test_a_cancelled_batch_stays_cancelled(first, build, module):
    """A cancellation that the last host did not bring to its end goes on."""
    made = await submit(first, "gated", 600, max_concurrency=4)
    await until(lambda: len(module().ran) == 4)
    await first.batches.cancel(made.id)
    async with restarted(build, first) as second:
        ended = await second.batches.wait(made.id, 60)
        assert ended.state is BatchState.CANCELLED
        assert ended.done == 600
        assert len(module().ran) == 4


async def test_items_that_did_not_begin_are_not_interrupted(first, build, module):
    """Of a task that must not run twice, only what ran when the host stopped has no answer."""
    made = await submit(first, "once-gated", 100, max_concurrency=8)
    await until(lambda: len(module().ran) == 8)
    async with restarted(build, first) as second:
        await until(lambda: len(module().ran) == 16)
        module().opened.set()
        ended = await second.batches.wait(made.id, 60)
        assert (ended.counts.interrupted, ended.counts.succeeded) == (8, 92)
        assert len(set(module().ran)) == 100


async def test_what_was_started_and_not_finished_is_not_repeated(first, build, module):
    """The ledger says that an item was started and nothing else: nobody knows whether it ran."""
    made = await first.batches.create(BatchOptions(task_id="once-echo"))
    await first.batches.pause(made.id)
    await first.batches.add(made.id, items(10))
    found = await first.store.ledger.find(made.id)
    await first.batches.seal(made.id)
    await first.stop(grace=0.0)
    store = await Store.open(StorageSettings(url=first.config.storage.url))
    await store.ledger.start(found.number, [2, 5])
    await store.close()
    async with build() as second:
        await second.batches.resume(made.id)
        ended = await second.batches.wait(made.id, 60)
        assert (ended.counts.interrupted, ended.counts.succeeded) == (2, 8)
        cut = [each for each in await second.batches.results(made.id) if each.status is ExecutionStatus.INTERRUPTED]
        assert {each.item_id for each in cut} == {"i2", "i5"}
        assert sorted(module().ran) == [1, 3, 4, 6, 7, 8, 9, 10]


async def test_those_who_wait_hear_of_the_end_of_the_host(first, module):
    """Neither `wait` nor an upload hangs."""
    made = await submit(first, "gated", 3)
    await until(lambda: len(module().ran) == 3)
    waiting = asyncio.create_task(first.batches.wait(made.id))
    await asyncio.sleep(0)
    await first.stop(grace=0.0)
    with pytest.raises(ShuttingDown):
        await asyncio.wait_for(waiting, 60)


async def test_running_items_have_the_grace(first, build, module):
    """An item that ends within the grace has its result; no further one begins."""
    made = await submit(first, "gated", 10, max_concurrency=2)
    await until(lambda: len(module().ran) == 2)
    stopping = asyncio.create_task(first.stop(grace=60))
    await until(lambda: first.batches._running.halted)
    module().opened.set()
    await stopping
    assert len(module().ran) == 2
    async with build() as second:
        assert (await second.batches.wait(made.id, 60)).counts.succeeded == 10
