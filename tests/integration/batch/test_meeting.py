"""Two steps at once on one batch, and steps that meet the end of the host."""

from __future__ import annotations

import asyncio
import time

import pytest

from hotplane.errors import BatchElsewhere, BatchEnded, Conflict, ShuttingDown
from hotplane.execution.batch import BatchOptions, BatchState
from tests.integration.batch.conftest import items, submit, until


@pytest.fixture
async def other(build, host):
    """A second host on the same store."""
    async with build() as running:
        yield running


async def test_an_id_is_taken_once(host):
    """Also by a batch that has ended; without an id each has its own."""
    made = await submit(host, "echo", 1, id="mine")
    await host.batches.wait(made.id, 60)
    with pytest.raises(Conflict, match="a batch 'mine' already"):
        await host.batches.create(BatchOptions(task_id="echo", id="mine"))
    first, second = [await host.batches.create(BatchOptions(task_id="echo")) for _ in range(2)]
    assert first.id != second.id


async def test_a_host_that_stops_takes_nothing_in(host):
    """Neither a batch nor an item, and who waits for the batch of another host hears so."""
    made = await host.batches.create(BatchOptions(task_id="echo"))
    host.batches.halt()
    with pytest.raises(ShuttingDown):
        await host.batches.create(BatchOptions(task_id="echo"))
    with pytest.raises(ShuttingDown):
        await host.batches.add(made.id, items(1))
    assert (await host.batches.get(made.id)).items == 0


async def test_who_waits_for_a_batch_of_another_host_hears_of_the_end_of_his(host, other, module):
    """The batch itself goes on."""
    made = await submit(host, "gated", 2)
    waiting = asyncio.create_task(other.batches.wait(made.id))
    await until(lambda: len(module().ran) == 2)
    other.batches.halt()
    with pytest.raises(ShuttingDown):
        await asyncio.wait_for(waiting, 60)
    assert (await host.batches.get(made.id)).state is BatchState.RUNNING
    module().opened.set()
    assert (await host.batches.wait(made.id, 60)).done == 2


async def test_sealing_at_once_is_sealing_once(host):
    """Both get the status, and the batch ends with all its items."""
    made = await host.batches.create(BatchOptions(task_id="echo"))
    await host.batches.add(made.id, items(3))
    await asyncio.gather(host.batches.seal(made.id), host.batches.seal(made.id, truncated=True))
    ended = await host.batches.wait(made.id, 60)
    assert (ended.done, ended.truncated) == (3, False)


async def test_an_upload_of_nothing_changes_nothing(host):
    """An empty page of a stream is no item, and no end."""
    made = await host.batches.create(BatchOptions(task_id="echo"))
    await host.batches.add(made.id, [])
    await host.batches.add(made.id, items(2))
    assert (await host.batches.get(made.id)).items == 2


async def test_an_upload_that_waits_hears_that_the_batch_went_elsewhere(build, module):
    """When there is room at last, nothing of it is stored here."""
    async with build(batches={"max_spooled_bytes": 1}) as host:
        made = await host.batches.create(BatchOptions(task_id="gated"))
        await host.batches.add(made.id, items(1))
        adding = asyncio.create_task(host.batches.add(made.id, items(1, first=2)))
        await until(lambda: module().ran == [1])
        (lease,) = await host.store.ledger.leases.list()
        assert await host.store.ledger.leases.claim(lease, "elsewhere", 1)
        await host.batches._running._recovery.renew()
        with pytest.raises(BatchElsewhere):
            await asyncio.wait_for(adding, 60)
        assert (await host.batches.get(made.id)).items == 1


async def test_an_upload_that_waits_hears_that_the_batch_was_cancelled(build, module):
    """It need not wait for room that nobody needs."""
    async with build(batches={"max_spooled_bytes": 1}) as host:
        made = await host.batches.create(BatchOptions(task_id="gated"))
        await host.batches.add(made.id, items(1))
        adding = asyncio.create_task(host.batches.add(made.id, items(1, first=2)))
        await until(lambda: module().ran == [1])
        await host.batches.cancel(made.id)
        with pytest.raises(BatchEnded):
            await asyncio.wait_for(adding, 60)


async def test_changes_of_another_hosts_batch_are_seen_at_once_or_not_at_all(host, other, module):
    """What is there already is no news to wait for; where nothing happens, the time passes."""
    made = await host.batches.create(BatchOptions(task_id="echo"))
    await host.batches.add(made.id, items(2))
    await until(lambda: host.batches._running.live[made.id].tally.done == 2)
    seen = await asyncio.wait_for(other.batches.changed(made.id, 0, 600), 60)
    assert seen.done == 2
    began = time.monotonic()
    assert (await other.batches.changed(made.id, seen.last_sequence, 0.7)).done == 2
    assert 0.7 <= time.monotonic() - began < 60


async def test_cancelling_twice_is_cancelling_once(host, module):
    """The first reason counts."""
    made = await submit(host, "gated", 20, max_concurrency=2)
    await until(lambda: len(module().ran) == 2)
    await asyncio.gather(*(host.batches.cancel(made.id) for _ in range(3)))
    ended = await host.batches.wait(made.id, 60)
    assert (ended.state, ended.counts.cancelled) == (BatchState.CANCELLED, 20)
