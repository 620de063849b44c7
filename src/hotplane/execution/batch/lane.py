"""One source's share of a scheduler: when it may start items, and when it has ended. Imports nothing of Hotplane."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

__all__ = ["Lane", "Source", "Turns"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Source(Protocol[T_co]):
    """Where a lane's items come from."""

    def __len__(self) -> int:
        """Return how many items are at hand."""
        ...

    def take(self) -> T_co | None:
        """Return the next item; None when none is at hand."""
        ...


class Turns(Protocol):
    """Who gives lanes their turns."""

    def stir(self) -> None:
        """Look soon which lane has something to do."""
        ...

    def forget(self, lane: Lane[T]) -> None:
        """Drop a lane that was closed."""
        ...


class Lane(Generic[T]):
    """One source's share of a scheduler; made by `Scheduler.open`."""

    def __init__(
        self,
        turns: Turns,
        source: Source[T],
        call: Callable[[T], Awaitable[object]],
        *,
        concurrency: int,
        priority: int,
    ) -> None:
        self.source = source
        self.call = call
        self.concurrency = concurrency
        self.priority = priority
        self.workers: set[asyncio.Task[None]] = set()
        self.fresh = 0
        """Workers that were made and have not looked for an item yet."""
        self.served = 0
        """When it last had its turn, as a number that grows."""
        self.failure: BaseException | None = None
        self._turns = turns
        self._closed = False
        self._paused = False
        self._held: asyncio.TimerHandle | None = None
        self._left: asyncio.Future[None] | None = None

    @property
    def open(self) -> bool:
        """Whether it starts items at all."""
        return not (self._closed or self._paused or self._held is not None)

    @property
    def held(self) -> bool:
        """Whether it waits for some time."""
        return self._held is not None

    @property
    def wants(self) -> bool:
        """Whether another worker would find something to do."""
        return self.open and len(self.workers) < self.concurrency and len(self.source) > self.fresh

    def wake(self) -> None:
        """Look at the source again: it has items."""
        self._turns.stir()

    def pause(self) -> None:
        """Start nothing; what runs goes on."""
        self._paused = True

    def resume(self) -> None:
        """Start items again."""
        self._paused = False
        self._turns.stir()

    def hold(self, seconds: float) -> None:
        """Start nothing for some time; a longer hold that is under way stays."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        if self._held is not None:
            if self._held.when() >= until:
                return
            self._held.cancel()
        self._held = loop.call_at(until, self.release)

    def release(self) -> None:
        """End a hold."""
        if self._held is not None:
            self._held.cancel()
            self._held = None
        self._turns.stir()

    def close(self) -> None:
        """Start nothing for ever; what runs goes on."""
        self._closed = True
        if self._held is not None:
            self._held.cancel()
        self._turns.forget(self)
        self.check()

    def cancel(self) -> None:
        """Close it, and cancel what runs."""
        self.close()
        for worker in tuple(self.workers):
            worker.cancel()

    async def join(self) -> None:
        """Wait until it is closed and nothing runs."""
        if self._left is None:
            self._left = asyncio.get_running_loop().create_future()
        self.check()
        await asyncio.shield(self._left)

    def check(self) -> None:
        """Let those go on that wait for its end, if this is it."""
        if self._closed and not self.workers and self._left is not None and not self._left.done():
            self._left.set_result(None)
