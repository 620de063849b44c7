"""Deadlines and signs of life with one timer per connection instead of one per call. Imports nothing of Hotplane."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

__all__ = ["Deadlines", "Liveness"]

_RESOLUTION = 0.001
"""Deadlines that are this close, in seconds, are due: event loops keep time in milliseconds."""
_LIVELY_BYTES = 1024


class Deadlines:
    """Wakes its owner when the earliest deadline is due.

    Adding a deadline costs one comparison: the timer is set anew only for one that is earlier than all others,
    and a deadline that no longer matters is not removed; the owner simply has nothing to expire then.

    Args:
        loop: The event loop.
        expire: Ends everything that is due at the given instant and returns the earliest deadline left, or
            infinity where none is.
    """

    __slots__ = ("_due", "_expire", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, expire: Callable[[float], float]) -> None:
        self._loop = loop
        self._expire = expire
        self._due = inf
        self._timer: asyncio.TimerHandle | None = None

    def add(self, deadline: float) -> None:
        """Make sure that the owner is woken at `deadline`, in the loop's time."""
        if deadline < self._due:
            self._set(deadline)

    def stop(self) -> None:
        """Wake the owner no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due = inf

    def _set(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = deadline
        self._timer = self._loop.call_at(deadline, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._due = inf
        now = self._loop.time()
        earliest = self._expire(now + _RESOLUTION)
        if earliest < self._due:
            self._set(max(earliest, now + _RESOLUTION))


class Liveness:
    """Asks for a sign of life in every interval while there is something to wait for.

    An interval without a sign is a miss; so many in a row mean that the peer is lost. Whole frames and a
    kilobyte of anything, in or out, are signs as good as a pong: it may be queued behind a large message.

    Args:
        loop: The event loop.
        interval: Seconds between two pings.
        misses: How many intervals without a sign mean lost.
        busy: Tells whether anything is waited for; the clock stops where nothing is.
        ping: Sends a ping.
        lost: Called once, with a sentence, when the peer is lost.
        signs: Returns the numbers of frames and bytes received, and of bytes that wait to be sent.
    """

    __slots__ = ("_busy", "_interval", "_loop", "_lost", "_missed", "_misses", "_ping", "_seen", "_signs", "_timer")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        interval: float,
        misses: int,
        busy: Callable[[], bool],
        ping: Callable[[], object],
        lost: Callable[[str], None],
        signs: Callable[[], tuple[int, int, int]],
    ) -> None:
        self._loop = loop
        self._interval = interval
        self._misses = misses
        self._busy = busy
        self._ping = ping
        self._lost = lost
        self._signs = signs
        self._missed = 0
        self._seen = (0, 0, 0)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def running(self) -> bool:
        """Whether the clock runs."""
        return self._timer is not None

    def start(self) -> None:
        """Begin an interval, after which the first ping goes out."""
        self._missed = -1
        self._timer = self._loop.call_later(self._interval, self._tick)

    def stop(self) -> None:
        """Ask no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        if not self._busy():
            return
        self._missed = 0 if self._has_sign() else self._missed + 1
        if self._missed >= self._misses:
            self._lost(f"no sign of life for {self._misses} pings, {self._interval:g} s apart")
            return
        self._ping()
        self._timer = self._loop.call_later(self._interval, self._tick)

    def _has_sign(self) -> bool:
        frames, received, unsent = self._signs()
        seen_frames, seen_received, seen_unsent = self._seen
        self._seen = (frames, received, unsent)
        if self._missed < 0:
            return False
        return (
            frames > seen_frames or received - seen_received >= _LIVELY_BYTES or seen_unsent - unsent >= _LIVELY_BYTES
        )
