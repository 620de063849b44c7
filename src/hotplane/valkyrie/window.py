"""The places that a peer grants on one connection, and the callers who wait for one. Imports only `failures`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from hotplane.valkyrie.failures import DeadlineExceeded, PeerOverloaded

__all__ = ["Window"]


class Window:
    """Hands out a bounded number of places, first come, first served.

    A place is given back when the peer has answered, not when the caller has lost interest: the peer counts
    a call until then. A place that is handed to a waiter counts as taken from that moment on, so that nobody
    overtakes.

    Attributes:
        taken: How many places are taken.
        size: How many there are.
        closed: Whether nobody gets one at the moment, because the peer does not read.
    """

    __slots__ = ("_loop", "_max_waiting", "_waiters", "closed", "size", "taken")

    def __init__(self, loop: asyncio.AbstractEventLoop, size: int, max_waiting: int) -> None:
        self.taken = 0
        self.size = size
        self.closed = False
        self._loop = loop
        self._max_waiting = max_waiting
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many callers wait."""
        return len(self._waiters)

    def try_take(self) -> bool:
        """Take a place if one is free and nobody waits for it."""
        if self.taken >= self.size or self.closed or self._waiters:
            return False
        self.taken += 1
        return True

    async def take(self, deadline: float) -> None:
        """Wait for a place and take it.

        Args:
            deadline: Until when to wait, in the loop's time.

        Raises:
            PeerOverloaded: As many callers as may wait do so already.
            DeadlineExceeded: No place became free in time.
        """
        if self.try_take():
            return
        if len(self._waiters) >= self._max_waiting:
            raise PeerOverloaded(
                f"all {self.size} places of the connection are taken and {len(self._waiters)} callers wait "
                "(`max_waiting`)"
            )
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        timer = self._loop.call_at(deadline, _expire, waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.give_back()
            raise
        finally:
            timer.cancel()
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def give_back(self) -> None:
        """Free a place, for the first who waits."""
        self.taken -= 1
        if self._waiters:
            self.wake()

    def wake(self) -> None:
        """Hand free places to those who wait."""
        while self._waiters and self.taken < self.size and not self.closed:
            waiter = self._waiters.popleft()
            if not waiter.done():
                self.taken += 1
                waiter.set_result(None)

    def refuse_all(self, make_error: Callable[[], Exception]) -> None:
        """End the waiting, for each caller with an error of its own."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(make_error())


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(DeadlineExceeded("no place in the peer's window became free in time", executed="no"))
