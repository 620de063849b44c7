"""Single calls beside a large batch, and memory that stays flat."""

from __future__ import annotations

import asyncio

from hotplane.execution.batch import BatchOptions
from tests.integration.batch.conftest import items


async def test_single_calls_stay_quick(host, module):
    """Beside a batch that could keep the host busy for long a call takes some commits, not the whole queue."""
    made = await host.batches.create(BatchOptions(task_id="echo", max_concurrency=256))
    for first in range(1, 8_001, 500):
        await host.batches.add(made.id, items(500, first))
    ran, passed_by = module().ran, []
    for number in range(30):
        before = len(ran)
        await host.execute("echo", number)
        passed_by.append(len(ran) - before)
        await asyncio.sleep(0.02)
    status = await host.batches.cancel(made.id)
    assert status.done > 0
    assert any(passed_by), "nothing ran beside them"
    assert max(passed_by) < 1_000
    assert (await host.batches.wait(made.id, 60)).done == 8_000


async def test_few_items_are_in_memory(host, module):
    """Of 5 000 items that wait, the feed holds some pages."""
    made = await host.batches.create(BatchOptions(task_id="gated", max_concurrency=4))
    for first in range(1, 5_001, 500):
        await host.batches.add(made.id, items(500, first))
    feed = host.batches._running.live[made.id].feed
    assert len(feed) + len(feed._fetched) < 1_000
    await host.batches.cancel(made.id)
    await host.batches.wait(made.id, 60)
