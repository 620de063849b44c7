"""Runs many items from many sources, each with a limit of its own, without ever holding the loop for long.

Imports only `lane`; it knows neither batches nor storage. A few workers pull from one shared source, so
that no task is made for an item that waits: 100 000 tasks at once would take 150 MB and hold the loop for half a
second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from time import perf_counter
from typing import Generic, TypeVar

from hotplane.execution.batch.lane import Lane, Source

__all__ = ["Scheduler"]

T = TypeVar("T")

_LEAST = 4
"""Workers that a slice may begin with, whatever the slice before did."""


class Scheduler:
    """Shares one loop, and a number of items that may run at once, among lanes.

    Where lanes compete the one with the higher priority goes first; equal ones take turns. Items run in slices: once
    items have kept the loop for `slice_seconds`, no further one begins before the loop has been round once, so that
    whatever else is ready gets its turn. While somebody waits for something more urgent, each round begins one item
    only. An item that does not let go of the loop itself is beyond this.

    Args:
        max_running: Items of all lanes that run at once.
        slice_seconds: How long items may keep the loop.
        urgent: Tells whether somebody waits for something more urgent.
        clock: Seconds that pass steadily.
    """

    def __init__(
        self,
        max_running: int = 256,
        *,
        slice_seconds: float = 0.002,
        urgent: Callable[[], bool] = bool,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._max_running = max_running
        self._slice = slice_seconds
        self._urgent = urgent
        self._clock = clock
        self._lanes: list[Lane[object]] = []
        self._running = 0
        self._ends_at = 0.0
        self._begun = 0
        self._turn = 0
        self._crowded = False
        self._stirred = False
        self._halted = False

    @property
    def running(self) -> int:
        """Workers of all lanes."""
        return self._running

    def open(
        self,
        source: Source[T],
        call: Callable[[T], Awaitable[object]],
        *,
        concurrency: int = 64,
        priority: int = 0,
    ) -> Lane[T]:
        """Add a lane.

        Args:
            source: Its items; call `Lane.wake` when it gets some.
            call: Runs one item. What it raises closes the lane and is kept as its `failure`.
            concurrency: Items of it that run at once.
            priority: Higher ones go first.
        """
        lane = Lane(self, source, call, concurrency=concurrency, priority=priority)
        self._lanes.append(lane)  # pyright: ignore[reportArgumentType] - the scheduler never looks into items
        self.stir()
        return lane

    async def run(self, items: Iterable[T], call: Callable[[T], Awaitable[object]], *, concurrency: int = 64) -> None:
        """Call `call` with every item, `concurrency` at a time; raises what a call raised first.

        Args:
            items: They are taken one by one, when there is room for them; None is no item.
            call: Runs one item.
            concurrency: How many run at once.
        """
        source = _Iterated(items, concurrency)
        lane = self.open(source, call, concurrency=concurrency)
        source.dry = lane.close
        try:
            await lane.join()
        except BaseException:
            lane.cancel()
            raise
        if lane.failure is not None:
            raise lane.failure

    def halt(self) -> None:
        """Start nothing more, for ever; what runs goes on."""
        self._halted = True

    def forget(self, lane: Lane[T]) -> None:
        """Drop a lane that was closed."""
        if lane in self._lanes:
            self._lanes.remove(lane)  # pyright: ignore[reportArgumentType] - as in `open`

    def stir(self) -> None:
        """Begin a slice in the loop's next round, unless one begins there already."""
        if not self._stirred and not self._halted:
            self._stirred = True
            asyncio.get_running_loop().call_soon(self._begin_slice)

    def _begin_slice(self) -> None:
        self._stirred = False
        # About as many workers as the last slice had items for: one that comes too late has cost its task.
        budget = max(_LEAST, 2 * self._begun)
        self._begun = 0
        self._ends_at = self._clock()
        if self._urgent():
            budget = 1
        else:
            self._ends_at += self._slice
        lane = None
        while budget and self._running < self._max_running and (lane := self._next_lane()) is not None:
            self._hire(lane)
            budget -= 1
        rest = self._next_lane() is not None
        self._crowded = rest and self._running >= self._max_running
        if rest and not budget:
            self.stir()

    def _next_lane(self) -> Lane[object] | None:
        wanting = [lane for lane in self._lanes if lane.wants]
        return min(wanting, key=_urgency) if wanting else None

    def _hire(self, lane: Lane[object]) -> None:
        self._turn += 1
        lane.served = self._turn
        lane.fresh += 1
        self._running += 1
        worker = asyncio.get_running_loop().create_task(self._work(lane))
        lane.workers.add(worker)
        worker.add_done_callback(partial(self._dismiss, lane))

    async def _work(self, lane: Lane[object]) -> None:
        lane.fresh -= 1
        clock, take, call = self._clock, lane.source.take, lane.call
        # Each slice has at least one item, however long the loop was busy before it came to this.
        while (not self._begun or clock() < self._ends_at) and lane.open and not self._halted:
            item = take()
            if item is None:
                return
            self._begun += 1
            await call(item)
            if self._crowded:
                return

    def _dismiss(self, lane: Lane[object], worker: asyncio.Task[None]) -> None:
        self._running -= 1
        lane.workers.discard(worker)
        if not worker.cancelled() and (error := worker.exception()) is not None:
            lane.failure = lane.failure or error
            lane.close()
        lane.check()
        self.stir()


class _Iterated(Generic[T]):
    """An iterable as a source.

    Args:
        items: The iterable.
        room: How many items are said to be at hand until the end shows.
    """

    def __init__(self, items: Iterable[T], room: int) -> None:
        self._items = iter(items)
        self._room = room
        self.dry: Callable[[], None] = _nothing
        """Called at the end."""

    def __len__(self) -> int:
        return self._room

    def take(self) -> T | None:
        item = next(self._items, None)
        if item is None:
            self._room = 0
            self.dry()
        return item


def _urgency(lane: Lane[object]) -> tuple[int, int]:
    return -lane.priority, lane.served


def _nothing() -> None:
    return
