"""Listening to what happens to plugins."""

from __future__ import annotations

import asyncio

import pytest

from hotplane.host.feed import Feed


async def test_every_listener_gets_everything_from_its_beginning_on() -> None:
    """What happened before is history; what happens is for all."""
    feed: Feed[int] = Feed()
    feed.publish(1)
    with feed.subscribe() as first:
        feed.publish(2)
        with feed.subscribe() as second:
            feed.publish(3)
            assert [await anext(first), await anext(first), await anext(second)] == [2, 3, 3]


async def test_a_slow_listener_loses_the_oldest_and_knows_how_many() -> None:
    """Its queue is bounded, and nobody waits for it."""
    feed: Feed[int] = Feed()
    with feed.subscribe(limit=2) as slow:
        for number in range(5):
            feed.publish(number)
        assert (await anext(slow), await anext(slow), slow.dropped) == (3, 4, 3)


async def test_a_closed_subscription_ends_after_what_waits() -> None:
    """Also for one who is waiting when the host closes the feed."""
    feed: Feed[int] = Feed()
    early, waiting = feed.subscribe(), feed.subscribe()
    feed.publish(1)
    assert await anext(waiting) == 1
    blocked = asyncio.ensure_future(anext(waiting))
    await asyncio.sleep(0)
    feed.close()
    feed.publish(2)
    assert [item async for item in early] == [1]
    with pytest.raises(StopAsyncIteration):
        await blocked
