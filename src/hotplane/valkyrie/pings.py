"""Asking the peer for a sign of life and its load. Imports only this room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from hotplane.valkyrie.failures import DeadlineExceeded
from hotplane.valkyrie.link import Link
from hotplane.valkyrie.messages import Ping, Pong, encode

__all__ = ["PeerLoad", "Pings"]


@dataclass(frozen=True, slots=True)
class PeerLoad:
    """The answer to a ping."""

    round_trip_seconds: float
    running: int
    """Calls that the peer runs now, over all its connections."""
    limit: int
    """How many it runs at most."""


class Pings:
    """The pings of one connection that somebody waits for; those of the clock need no answer of their own."""

    __slots__ = ("_last_token", "_link", "_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop, link: Link) -> None:
        self._loop = loop
        self._link = link
        self._last_token = 0
        self._waiting: dict[int, tuple[asyncio.Future[PeerLoad], float]] = {}

    def send(self) -> int:
        """Send a ping and return its token."""
        self._last_token += 1
        self._link.send(encode(Ping(self._last_token)))
        return self._last_token

    async def ask(self, timeout_seconds: float) -> PeerLoad:
        """Send a ping and wait for its pong.

        Raises:
            DeadlineExceeded: There was none in time.
        """
        answer: asyncio.Future[PeerLoad] = self._loop.create_future()
        token = self.send()
        self._waiting[token] = (answer, perf_counter())
        try:
            async with asyncio.timeout(timeout_seconds):
                return await answer
        except TimeoutError:
            raise DeadlineExceeded(f"no pong within {timeout_seconds:g} s", executed="no") from None
        finally:
            self._waiting.pop(token, None)

    def take(self, pong: Pong) -> None:
        """Give a pong to whoever waits for it."""
        answer, asked = self._waiting.get(pong.token, (None, 0.0))
        if answer is not None and not answer.done():
            answer.set_result(PeerLoad(perf_counter() - asked, pong.running, pong.limit))

    def fail(self, make_error: Callable[[], Exception]) -> None:
        """End the waiting because the connection is gone."""
        for answer, _ in self._waiting.values():
            if not answer.done():
                answer.set_exception(make_error())
