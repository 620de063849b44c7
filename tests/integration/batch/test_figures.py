"""What the status of a batch says of its speed and its end."""

from __future__ import annotations

import asyncio

import pytest

from hotplane.errors import Invalid
from hotplane.execution.batch import BatchOptions, BatchState, NewItem
from hotplane.records import EventType, now
from hotplane.storage import EventFilter
from tests.integration.batch.conftest import items, submit, until

ROUNDING = 0.0001
"""Seconds that dividing and multiplying may cost."""


async def test_the_rate_of_a_cancelled_batch_counts_what_ran(host, module):
    """Four items ran, 696 were cancelled in bulk: they make the batch no faster."""
    made = await submit(host, "gated", 700, max_concurrency=4)
    await until(lambda: len(module().ran) == 4)
    await host.batches.cancel(made.id)
    ended = await host.batches.wait(made.id, 60)
    seconds = (ended.finished_at - ended.started_at).total_seconds()
    assert round(ended.rate_per_second * seconds) == 4
    assert ended.seconds_left is None


async def test_the_rate_of_an_ended_batch_leaves_pauses_out(host, module):
    """A pause of half a second is no part of the time in which the items ran."""
    made = await submit(host, "gated", 8, max_concurrency=4)
    await until(lambda: len(module().ran) == 4)
    await host.batches.pause(made.id)
    paused_at = now()
    module().opened.set()
    await asyncio.sleep(0.5)
    paused = (now() - paused_at).total_seconds()
    await host.batches.resume(made.id)
    ended = await host.batches.wait(made.id, 60)
    seconds = (ended.finished_at - ended.started_at).total_seconds()
    assert seconds - ended.done / ended.rate_per_second >= paused - ROUNDING


async def test_a_paused_batch_keeps_its_rate(host, module):
    """It does not sink while nothing is to run, and nobody knows how long the rest takes."""
    made = await submit(host, "gated", 8, max_concurrency=4)
    await until(lambda: len(module().ran) == 4)
    module().opened.set()
    module().opened = asyncio.Event()
    while (seen := await host.batches.get(made.id)).done < 4:
        await host.batches.changed(made.id, seen.last_sequence, 5)
    await asyncio.sleep(0.3)
    paused = await host.batches.pause(made.id)
    await asyncio.sleep(0.1)
    later = await host.batches.get(made.id)
    assert later.rate_per_second == paused.rate_per_second > 0
    assert (later.state, later.seconds_left) == (BatchState.PAUSED, None)


async def test_a_batch_that_ends_while_it_is_paused_leaves_the_pause_out(host, module):
    """What ran finishes in the pause, and with it the batch."""
    made = await submit(host, "gated", 4, max_concurrency=4)
    await until(lambda: len(module().ran) == 4)
    await host.batches.pause(made.id)
    paused_at = now()
    await asyncio.sleep(0.5)
    paused = (now() - paused_at).total_seconds()
    module().opened.set()
    ended = await host.batches.wait(made.id, 60)
    seconds = (ended.finished_at - ended.started_at).total_seconds()
    assert seconds - ended.done / ended.rate_per_second >= paused - ROUNDING


async def test_an_item_may_not_take_longer_than_its_task(build, programs):
    """A larger `timeout_ms` of an item counts as the task's; a larger `item_timeout_ms` of the batch is refused."""
    task = {"id": "brief", "program": f"{programs}:gated", "idempotent": True, "timeout_ms": 300}
    async with build(tasks=[task]) as host:
        with pytest.raises(Invalid):
            await host.batches.create(BatchOptions(task_id="brief", item_timeout_ms=301))
        made = await host.batches.create(BatchOptions(task_id="brief"))
        await host.batches.add(made.id, [NewItem(position=1, item_id="1", timeout_ms=600_000)])
        await host.batches.seal(made.id)
        assert (await host.batches.wait(made.id, 60)).counts.timed_out == 1
        [result] = await host.batches.results(made.id)
    assert 300 <= result.latency_ms < 20_000


async def test_a_cancellation_that_comes_too_late_changes_nothing(host):
    """Everything had arrived and succeeded: the batch is completed, and so says its event."""
    made = await host.batches.create(BatchOptions(task_id="echo", kind="stream"))
    await host.batches.add(made.id, items(3))
    while (seen := await host.batches.get(made.id)).done < 3:
        await host.batches.changed(made.id, seen.last_sequence, 5)
    await host.batches.seal(made.id)
    await host.batches.cancel(made.id)  # its end is being stored
    ended = await host.batches.wait(made.id, 60)
    assert (ended.state, ended.counts.succeeded, ended.counts.cancelled) == (BatchState.COMPLETED, 3, 0)
    [event] = await host.store.list_events(EventFilter(types=frozenset({EventType.BATCH_FINISHED})))
    assert event.payload["state"] == "completed"


async def test_a_batch_that_is_cancelled_before_all_had_arrived_is_cancelled(host):
    """What had come succeeded; the rest may not come any more."""
    made = await host.batches.create(BatchOptions(task_id="echo"))
    await host.batches.add(made.id, items(3))
    while (seen := await host.batches.get(made.id)).done < 3:
        await host.batches.changed(made.id, seen.last_sequence, 5)
    await host.batches.cancel(made.id)
    assert (await host.batches.wait(made.id, 60)).state is BatchState.CANCELLED


async def test_a_host_that_has_closed_still_has_the_last_figures(build, module):
    """What was done when it let go of a batch stands in its status."""
    host = build()
    async with host:
        made = await submit(host, "gated", 12, max_concurrency=4)
        await until(lambda: len(module().ran) == 4)
        module().opened.set()
        module().opened = asyncio.Event()
        while (seen := await host.batches.get(made.id)).done < 4:
            await host.batches.changed(made.id, seen.last_sequence, 5)
        await host.stop(grace=0.0)
        left = await host.batches.get(made.id)
    assert (left.state, left.items, left.counts.succeeded) == (BatchState.RUNNING, 12, 4)
    assert left.done == left.counts.done >= 4
    assert left.last_sequence >= seen.last_sequence > 0
    assert left.seconds_left is None
