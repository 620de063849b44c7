"""When a lane starts items, and when it has ended."""

from __future__ import annotations

import asyncio

from hotplane.execution.batch.scheduler import Scheduler


class Tray:
    """A source with one item."""

    def __init__(self):
        self.left = 1

    def __len__(self):
        return self.left

    def take(self):
        taken, self.left = self.left, 0
        return "item" if taken else None


def held(seconds):
    """Return a lane that waits, and the list of what ran."""
    ran = []

    async def run(item):
        ran.append(item)

    lane = Scheduler().open(Tray(), run, concurrency=1, priority=0)
    lane.hold(seconds)
    lane.wake()
    return lane, ran


async def until(condition):
    """Wait until something holds."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)


async def test_a_shorter_hold_does_not_end_a_longer_one():
    """The other way round it is made longer."""
    lane, ran = held(60)
    lane.hold(0.001)
    await asyncio.sleep(0.02)
    assert (ran, lane.held) == ([], True)
    lane.release()
    await until(lambda: ran)
    assert (ran, lane.held) == (["item"], False)
    lane, ran = held(0.01)
    lane.hold(60)
    await asyncio.sleep(0.05)
    assert (ran, lane.held) == ([], True)
    lane.close()


async def test_what_is_closed_does_not_wake_up_from_its_hold():
    """It starts nothing for ever, and nobody has to wait for the end of the hold."""
    lane, ran = held(0.01)
    lane.close()
    async with asyncio.timeout(20):
        await lane.join()
    await asyncio.sleep(0.03)
    assert ran == []


async def test_several_may_wait_for_the_end():
    """Also one who comes when it is over; one who goes away takes nobody along."""
    lane, _ = held(60)
    waiting = [asyncio.create_task(lane.join()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    assert not waiting[1].done()
    lane.close()
    async with asyncio.timeout(20):
        await asyncio.gather(*waiting[1:])
        await lane.join()
