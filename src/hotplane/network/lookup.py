"""Looking names up without waiting for them for ever. Imports only this room's failures.

asyncio looks names up in its executor: threads that the process joins when it ends, so that one silent name server
delays the exit, and a few of them keep every other user of the executor waiting. Here every lookup has a daemon
thread of its own, there are only so many at a time, and callers that ask for the same name share one.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable, Sequence
from threading import Thread

from hotplane.network.failures import LookupFailed

__all__ = ["Lookups", "system_addresses"]


def system_addresses(host: str) -> tuple[str, ...]:
    """Ask the system for the addresses of a host, in the order in which they should be tried (RFC 6724).

    Raises:
        OSError, UnicodeError: There is none, or `host` is no name.
    """
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return tuple(dict.fromkeys(_address(each[4]) for each in found))


class Lookups:
    """Looks names up for the callers of one event loop.

    Args:
        look_up: Returns the addresses of a host, or raises; called in a thread.
        timeout_seconds: The longest that a caller waits. The default is that of resolvers for one try (resolv.conf).
        max_threads: Lookups at a time; those that hang count until they return.
        max_waiting: Names that may wait for a thread; more are refused.
    """

    def __init__(
        self,
        *,
        look_up: Callable[[str], Sequence[str]] = system_addresses,
        timeout_seconds: float = 5.0,
        max_threads: int = 8,
        max_waiting: int = 1_000,
    ) -> None:
        self._look_up = look_up
        self._timeout = timeout_seconds
        self._max_threads = max_threads
        self._max_waiting = max_waiting
        self._pending: dict[str, asyncio.Future[tuple[str, ...]]] = {}
        self._waiting: deque[tuple[str, float]] = deque()
        self._running = 0

    @property
    def running(self) -> int:
        """Threads at work, those included whose callers have gone."""
        return self._running

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Return the addresses of a host, at least one.

        Raises:
            LookupFailed: There is none, it took too long, or too many names wait already.
        """
        future = self._pending.get(host)
        if future is None:
            future = self._begin(host)
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.shield(future)
        except TimeoutError:
            raise self._late() from None

    def _begin(self, host: str) -> asyncio.Future[tuple[str, ...]]:
        loop = asyncio.get_running_loop()
        if self._running >= self._max_threads and len(self._waiting) >= self._max_waiting:
            raise LookupFailed("too many names are being looked up")
        future = self._pending[host] = loop.create_future()
        future.add_done_callback(_seen)
        if self._running < self._max_threads:
            self._start(loop, host)
        else:
            self._waiting.append((host, loop.time() + self._timeout))
        return future

    def _start(self, loop: asyncio.AbstractEventLoop, host: str) -> None:
        self._running += 1
        thread = Thread(target=self._work, args=(loop, host), name="hotplane-lookup", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            loop.call_soon(self._settle, host, LookupFailed("the system has no thread left to look its name up"))

    def _work(self, loop: asyncio.AbstractEventLoop, host: str) -> None:
        outcome: tuple[str, ...] | LookupFailed
        try:
            outcome = tuple(self._look_up(host)) or LookupFailed()
        except Exception:  # a name that is none raises whatever its codec does
            outcome = LookupFailed()
        # A loop that is closed has nobody who waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._settle, host, outcome)

    def _settle(self, host: str, outcome: tuple[str, ...] | LookupFailed) -> None:
        self._running -= 1
        self._answer(host, outcome)
        loop = asyncio.get_running_loop()
        while self._waiting and self._running < self._max_threads:
            following, until = self._waiting.popleft()
            if loop.time() < until:
                self._start(loop, following)
            else:
                self._answer(following, self._late())

    def _answer(self, host: str, outcome: tuple[str, ...] | LookupFailed) -> None:
        future = self._pending.pop(host)
        if isinstance(outcome, LookupFailed):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    def _late(self) -> LookupFailed:
        return LookupFailed(f"its name was not looked up within {self._timeout:g} s")


def _address(place: tuple[object, ...]) -> str:
    """Return the address of a socket's place, with its zone where it has one."""
    address, zone = str(place[0]), place[3] if len(place) > 3 else 0
    return f"{address}%{zone}" if zone and "%" not in address else address


def _seen(future: asyncio.Future[tuple[str, ...]]) -> None:
    """Take note of an error whose callers have all gone, so that asyncio does not report it."""
    if not future.cancelled():
        future.exception()
