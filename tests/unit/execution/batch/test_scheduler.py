"""The scheduler of items."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from itertools import takewhile

import pytest

from hotplane.execution.batch.lane import Lane
from hotplane.execution.batch.scheduler import Scheduler


class Deck:
    """A source that holds what it is given."""

    def __init__(self, items=()):
        self.items = deque(items)

    def __len__(self):
        return len(self.items)

    def take(self):
        return self.items.popleft() if self.items else None


class Gate:
    """Holds every item until it is opened, and knows which ones run."""

    def __init__(self):
        self.running: list[object] = []
        self.most = 0
        self.opened = asyncio.Event()

    async def call(self, item):
        self.running.append(item)
        self.most = max(self.most, len(self.running))
        await self.opened.wait()
        self.running.remove(item)


async def settle(rounds: int = 50) -> None:
    """Let the loop go round."""
    for _ in range(rounds):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds, however many rounds of the loop that takes on a slow machine."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)


async def until_empty(lane: Lane[int], deck: Deck) -> None:
    """Wait until a lane has nothing more to do."""
    await until(lambda: not (deck or lane.workers))


async def test_every_item_runs_once():
    """Nothing is lost and nothing runs twice, whatever the number of workers."""
    seen: Counter[int] = Counter()

    async def call(item):
        seen[item] += 1
        if item % 3 == 0:
            await asyncio.sleep(0)

    await Scheduler().run(range(1, 2_001), call, concurrency=7)
    assert seen == Counter(range(1, 2_001))


@pytest.mark.parametrize("concurrency", [1, 5, 64])
async def test_no_more_items_run_than_asked_for(concurrency):
    """The concurrency is reached and never passed."""
    gate = Gate()
    running = asyncio.create_task(Scheduler().run(range(1, 201), gate.call, concurrency=concurrency))
    await until(lambda: len(gate.running) >= concurrency)
    await settle()
    assert len(gate.running) == concurrency
    gate.opened.set()
    await running
    assert gate.most == concurrency


async def test_a_call_that_raises_ends_the_run_with_its_error():
    """The first error comes out, and no further item begins."""
    begun: list[int] = []

    async def call(item):
        begun.append(item)
        if item == 3:
            raise ValueError(item)

    with pytest.raises(ValueError, match="3"):
        await Scheduler().run(range(1, 100), call, concurrency=1)
    assert begun == [1, 2, 3]


async def test_cancelling_a_run_cancels_its_items():
    """The one who waits takes what runs with him."""
    gate = Gate()
    cancelled: list[int] = []

    async def call(item):
        try:
            await gate.call(item)
        except asyncio.CancelledError:
            cancelled.append(item)
            raise

    running = asyncio.create_task(Scheduler().run(range(1, 100), call, concurrency=4))
    await until(lambda: len(gate.running) == 4)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await settle()
    assert sorted(cancelled) == [1, 2, 3, 4]


async def test_all_lanes_together_keep_the_cap():
    """Three lanes that want sixty items at once get ten."""
    scheduler, gate = Scheduler(10), Gate()
    decks = [Deck(range(1, 41)) for _ in range(3)]
    lanes = [scheduler.open(deck, gate.call, concurrency=20) for deck in decks]
    await until(lambda: len(gate.running) >= 10)
    await settle()
    assert len(gate.running) == 10
    gate.opened.set()
    for lane, deck in zip(lanes, decks, strict=True):
        await until_empty(lane, deck)
    assert gate.most == 10


async def test_equal_lanes_take_turns():
    """At the cap, a lane that came first does not keep the others out."""
    scheduler = Scheduler(2)
    order: list[str] = []

    async def call(item):
        order.append(item)
        await asyncio.sleep(0.001)

    decks = [Deck(["a"] * 30), Deck(["b"] * 30)]
    lanes = [scheduler.open(deck, call, concurrency=8) for deck in decks]
    for lane, deck in zip(lanes, decks, strict=True):
        await until_empty(lane, deck)
    assert abs(order[:40].count("a") - order[:40].count("b")) <= 4


async def test_a_higher_priority_goes_first():
    """At the cap, the items of the higher lane are through before the lower one has its turn."""
    scheduler = Scheduler(2)
    order: list[str] = []

    async def call(item):
        order.append(item)
        await asyncio.sleep(0)

    low = Deck(["low"] * 20)
    behind = scheduler.open(low, call, concurrency=8, priority=-1)
    high = Deck(["high"] * 20)
    lane = scheduler.open(high, call, concurrency=8, priority=5)
    await until_empty(lane, high)
    assert order.count("low") <= 4
    await until_empty(behind, low)


async def test_items_that_never_wait_let_the_loop_go_on():
    """However many of them there are: others get their turn every few milliseconds."""
    turns = 0
    done = asyncio.Event()

    async def other():
        nonlocal turns
        while not done.is_set():
            turns += 1
            await asyncio.sleep(0)

    async def call(item):
        for _ in range(100):
            pass

    watching = asyncio.create_task(other())
    # Enough for seconds, unless the others have had their turns before.
    items = takewhile(lambda _: turns <= 20, range(1, 2_000_001))
    await Scheduler(slice_seconds=0.001).run(items, call, concurrency=64)
    done.set()
    await watching
    assert turns > 20


async def test_a_slice_that_is_used_up_begins_no_further_item():
    """By its clock an item takes a whole slice, so that each round of the loop has one item."""
    now, begun = [0.0], []
    scheduler = Scheduler(slice_seconds=1.0, clock=lambda: now[0])

    async def call(item):
        begun.append(item)
        now[0] += 1.0

    lane = scheduler.open(Deck(range(1, 100)), call, concurrency=8)
    await settle(2)
    assert begun == [1]
    lane.cancel()
    await lane.join()


async def test_a_paused_lane_starts_nothing():
    """What runs ends; the rest waits for the resume."""
    scheduler, gate, deck = Scheduler(), Gate(), Deck(range(1, 11))
    lane = scheduler.open(deck, gate.call, concurrency=2)
    await settle()
    lane.pause()
    gate.opened.set()
    await settle()
    assert (len(deck), gate.running) == (8, [])
    lane.resume()
    await until_empty(lane, deck)
    assert not deck


async def test_a_held_lane_goes_on_by_itself():
    """A hold ends after its time, or with `release`."""
    scheduler, gate, deck = Scheduler(), Gate(), Deck([1])
    gate.opened.set()
    lane = scheduler.open(deck, gate.call)
    lane.hold(3600)
    await settle()
    assert lane.held
    assert len(deck) == 1
    lane.release()
    lane.hold(0.01)
    await until_empty(lane, deck)
    assert not lane.held


async def test_a_lane_is_woken_when_its_source_has_items():
    """A source that was empty is looked at again."""
    scheduler, gate, deck = Scheduler(), Gate(), Deck()
    lane = scheduler.open(deck, gate.call)
    await settle()
    deck.items.extend((1, 2))
    lane.wake()
    await settle()
    assert gate.running == [1, 2]
    lane.cancel()
    await lane.join()


async def test_joining_waits_for_the_last_item():
    """A closed lane is left when nothing of it runs."""
    scheduler, gate, deck = Scheduler(), Gate(), Deck([1, 2])
    lane = scheduler.open(deck, gate.call, concurrency=1)
    await settle()
    lane.close()
    leaving = asyncio.create_task(lane.join())
    await settle()
    assert not leaving.done()
    gate.opened.set()
    await leaving
    assert len(deck) == 1


async def test_a_halted_scheduler_starts_nothing():
    """What runs goes on, what waits stays in its source."""
    scheduler, gate, deck = Scheduler(), Gate(), Deck(range(1, 9))
    scheduler.open(deck, gate.call, concurrency=2)
    await settle()
    scheduler.halt()
    gate.opened.set()
    await settle()
    assert (gate.running, len(deck), scheduler.running) == ([], 6, 0)


async def test_something_urgent_goes_before_items():
    """While somebody waits for it, each slice has one item; afterwards as many as fit."""
    urgent, begun = [True], []
    scheduler = Scheduler(slice_seconds=3600.0, urgent=lambda: urgent[0])

    async def call(item):
        begun.append(item)

    deck = Deck(range(1, 100))
    lane = scheduler.open(deck, call, concurrency=8)
    await settle(2)
    assert begun == [1]
    urgent[0] = False
    await until_empty(lane, deck)
    assert len(begun) == 99
