"""Batches that another host runs, as this one sees them."""

from __future__ import annotations

import asyncio

import pytest

from hotplane.errors import BatchElsewhere, BatchNotEnded, UnknownBatch
from hotplane.execution.batch import BatchOptions, BatchState
from hotplane.records import ExecutionStatus
from tests.integration.batch.conftest import items, submit, until


@pytest.fixture
async def other(build, host):
    """A second host on the same store."""
    async with build() as running:
        yield running


async def _taken(host, batch_id):
    """Have somebody else take a batch over, as it happens to a host that was frozen."""
    leases = host.store.ledger.leases
    (lease,) = [each for each in await leases.list() if each.id == batch_id]
    assert await leases.claim(lease, "elsewhere", 1)


async def test_state_and_results_are_readable(host, other, module):
    """Counts come from the ledger while it runs, and `list` shows the same."""
    made = await submit(host, "odd_ones_fail", 30)
    await host.batches.wait(made.id, 60)
    running = await submit(host, "gated", 10, max_concurrency=4)
    await until(lambda: len(module().ran) == 34)
    assert (await other.batches.get(made.id)) == (await host.batches.get(made.id))
    assert len(await other.batches.results(made.id)) == 30
    seen = await other.batches.get(running.id)
    assert (seen.state, seen.items, seen.done) == (BatchState.RUNNING, 10, 0)
    assert {each.id for each in (await other.batches.list()).items} == {made.id, running.id}
    module().opened.set()
    assert (await host.batches.wait(running.id, 60)).done == 10


async def test_who_waits_hears_of_the_end(host, other, module):
    """Nobody tells a host of the commits of another, so that it looks."""
    made = await submit(host, "gated", 5)
    waiting = asyncio.create_task(other.batches.wait(made.id, 60))
    following = asyncio.create_task(other.batches.changed(made.id, 0, 60))
    await until(lambda: len(module().ran) == 5)
    module().opened.set()
    assert (await waiting).counts.succeeded == 5
    assert (await following).last_sequence > 0


@pytest.mark.parametrize("step", ["pause", "resume", "cancel", "seal"])
async def test_only_the_host_that_runs_it_steers_it(host, other, module, step):
    """The refusal names that host."""
    made = await submit(host, "gated", 5)
    with pytest.raises(BatchElsewhere, match=r"process \d+ on"):
        await getattr(other.batches, step)(made.id)
    with pytest.raises(BatchElsewhere):
        await other.batches.add(made.id, items(1, 6))
    with pytest.raises(BatchNotEnded):
        await other.batches.delete(made.id)
    await until(lambda: len(module().ran) == 5)
    module().opened.set()
    assert (await host.batches.wait(made.id, 60)).counts.succeeded == 5


async def test_ended_batches_belong_to_everybody(host, other):
    """Cancelling and sealing do nothing, as anywhere; deleting works."""
    made = await submit(host, "echo", 5)
    await host.batches.wait(made.id, 60)
    assert (await other.batches.cancel(made.id)).state is BatchState.COMPLETED
    assert (await other.batches.seal(made.id)).state is BatchState.COMPLETED
    await other.batches.delete(made.id)
    with pytest.raises(UnknownBatch):
        await host.batches.get(made.id)


async def test_a_batch_that_was_lost_stops_at_once(host, module):
    """What ran is recorded, but is no result of the batch; nothing more begins."""
    made = await submit(host, "gated", 100, max_concurrency=4)
    await until(lambda: len(module().ran) == 4)
    waiting = asyncio.create_task(host.batches.wait(made.id, 60))
    await _taken(host, made.id)
    await host.batches._running._recovery.renew()
    cut = await _recorded(host, 4)
    assert {each.status for each in cut} == {ExecutionStatus.CANCELLED}
    assert await host.batches.results(made.id) == ()
    assert len(module().ran) == 4
    with pytest.raises(BatchElsewhere):
        await host.batches.pause(made.id)
    assert not waiting.done()
    waiting.cancel()


async def test_an_upload_to_a_batch_that_was_lost_is_refused(host):
    """The commit finds out, before any renewal does."""
    made = await host.batches.create(BatchOptions(task_id="echo"))
    await host.batches.add(made.id, items(3))
    await _taken(host, made.id)
    with pytest.raises(BatchElsewhere):
        await host.batches.add(made.id, items(3, 4))
    assert made.id not in host.batches._running.live
    assert (await host.batches.get(made.id)).items == 3


async def test_items_of_a_lost_batch_do_not_start(host, module):
    """One that must not run twice is told to the ledger first, and the ledger refuses."""
    made = await host.batches.create(BatchOptions(task_id="once-gated", max_concurrency=2))
    await host.batches.add(made.id, items(10))
    await until(lambda: len(module().ran) == 2)
    await _taken(host, made.id)
    module().opened.set()
    await until(lambda: made.id not in host.batches._running.live)
    assert sorted(module().ran) == [1, 2]


async def test_nothing_begins_while_the_leases_are_old(host, module):
    """Somebody else may have the batch; when the renewal shows that nobody has, it goes on."""
    holding = host.batches._running.holding
    holding.renewed(holding.now() - 3_600)
    made = await submit(host, "echo", 10)
    holding.renewed(holding.now() - 3_600)
    await asyncio.sleep(0.1)
    assert module().ran == []
    assert (await host.batches.get(made.id)).done == 0
    await host.batches._running._recovery.renew()
    assert (await host.batches.wait(made.id, 60)).counts.succeeded == 10


async def test_what_a_host_gave_back_is_taken_up(host, build, module):
    """An orderly stop leaves no lease: the next look of another host finds it."""
    async with build() as other:
        made = await submit(other, "gated", 10, max_concurrency=2)
        await until(lambda: len(module().ran) == 2)
        await other.stop(grace=0.0)
        module().opened.set()
        await host.batches._running._recovery.look()
        ended = await host.batches.wait(made.id, 60)
        assert (ended.counts.interrupted, ended.counts.succeeded) == (2, 8)


async def _recorded(host, count):
    async with asyncio.timeout(60):
        while len(found := (await host.store.list_executions()).items) < count:  # noqa: ASYNC110 - queued without a waiter
            await asyncio.sleep(0.01)
    return found
