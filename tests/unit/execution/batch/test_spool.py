"""Uploads wait while too much is stored and not done."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from hotplane.errors import ShuttingDown
from hotplane.execution.batch.spool import Spool


def batch():
    """Return a batch, as far as the spool looks at it."""
    made: Any = SimpleNamespace(open_bytes=0, stopping=False)
    return made


@pytest.fixture
async def full():
    """A spool without room, its batch, and an upload that waits."""
    spool, live = Spool(100), batch()
    spool.take(live, 150)
    upload = asyncio.create_task(spool.room(live))
    await asyncio.sleep(0)
    yield spool, live, upload
    upload.cancel()


async def settled():
    """Let the loop go round."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_an_upload_goes_on_when_there_is_room(full):
    """Not before: a little that was done is not enough."""
    spool, live, upload = full
    spool.relieve(live, 40)
    await settled()
    assert not upload.done()
    spool.relieve(live, 40)
    await asyncio.wait_for(upload, 20)


async def test_an_upload_to_a_batch_that_is_cancelled_need_not_wait(full):
    """It will hear that nobody wants its items; that of another batch waits on."""
    spool, live, upload = full
    spool.look()
    await settled()
    assert not upload.done()
    live.stopping = True
    spool.look()
    await asyncio.wait_for(upload, 20)


async def test_an_upload_hears_of_the_end_of_the_host(full):
    """Whether it waits or comes late."""
    spool, live, upload = full
    spool.close()
    for late in (upload, spool.room(live)):
        with pytest.raises(ShuttingDown):
            await asyncio.wait_for(late, 20)


async def test_a_batch_gives_back_no_more_than_it_took(full):
    """What it no longer has open cannot make room a second time."""
    spool, _, upload = full
    other = batch()
    spool.take(other, 50)
    spool.relieve(other, 200)
    assert other.open_bytes == 0
    await settled()
    assert not upload.done()
