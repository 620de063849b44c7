"""The items of a batch on their way from the ledger to the workers."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from hotplane.execution.batch import NewItem
from hotplane.execution.batch.feed import Feed
from hotplane.execution.batch.stored import encode_item
from hotplane.storage import StoredItem


def stored(position: int) -> StoredItem:
    """Return an item's row."""
    return encode_item(NewItem(position=position, item_id=str(position), input=position))


class Rows:
    """A ledger in memory, which counts how often it is read."""

    def __init__(self):
        self.rows: list[StoredItem] = []
        self.reads = 0

    async def items(self, number, *, after, limit, max_bytes):
        self.reads += 1
        await asyncio.sleep(0)
        return tuple(row for row in self.rows if row.position > after)[:limit]

    async def start(self, number, positions):
        raise AssertionError("no item of these is guarded")

    unstart = start


def feed_of(ledger: Rows) -> Feed:
    """Return the feed of a batch that is this host's and whose items may run twice."""
    return Feed(ledger, 1, guarded=lambda: False, held=lambda: True, concurrency=8, tell=lambda problem: None)


async def taken(feed: Feed, count: int) -> list[object]:
    """Take items until there were so many, and return their inputs."""
    inputs: list[object] = []
    async with asyncio.timeout(30):
        while len(inputs) < count:
            item = feed.take()
            if item is None:
                await asyncio.sleep(0)
            else:
                inputs.append(item.input)
                feed.settle(item)
    return inputs


async def test_what_was_stored_just_now_is_not_read_again():
    """It is at hand, group after group, as it would be read."""
    ledger = Rows()
    feed = feed_of(ledger)
    for first in (1, 101):
        ledger.rows += (fresh := [stored(position) for position in range(first, first + 100)])
        feed.grow(first + 99, fresh)
        assert await taken(feed, 100) == list(range(first, first + 100))
    assert ledger.reads == 0


async def test_what_nobody_has_time_for_stays_in_the_ledger():
    """However much is stored, only some of it is in memory."""
    ledger = Rows()
    feed = feed_of(ledger)
    for first in range(1, 5_001, 250):
        ledger.rows += (fresh := [stored(position) for position in range(first, first + 250)])
        feed.grow(first + 249, fresh)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(feed) < 1_000
    assert await taken(feed, 5_000) == list(range(1, 5_001))


@given(st.lists(st.tuples(st.integers(1, 700), st.integers(0, 3), st.booleans(), st.integers(0, 900)), max_size=8))
def test_each_item_comes_once_and_in_order(groups: list[tuple[int, int, bool, int]]):
    """Whether it is handed over or read, and whether items without a place in the feed stand between or behind."""

    async def run() -> None:
        ledger, position, seen = Rows(), 0, list[object]()
        feed = feed_of(ledger)
        for count, refused, handed_over, takes in groups:
            fresh = [stored(position + number) for number in range(1, count + 1)]
            ledger.rows += fresh
            position += count + refused
            feed.grow(position, fresh if handed_over else ())
            seen += await taken(feed, min(takes, len(ledger.rows) - len(seen)))
        seen += await taken(feed, len(ledger.rows) - len(seen))
        assert seen == [row.position for row in ledger.rows]

    asyncio.run(run())
