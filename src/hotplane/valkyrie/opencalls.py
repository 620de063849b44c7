"""The calls that wait for their answer on one connection, and what is known of each. Imports only this room."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from math import ceil, inf

from hotplane.valkyrie.failures import CallFailed, ConnectionLost, DeadlineExceeded, Executed, TooLarge
from hotplane.valkyrie.link import Link
from hotplane.valkyrie.messages import MAX_METHOD, MAX_REMAINING_MS, MAX_TARGET, MAX_TRACE, Call, Cancel, encode
from hotplane.valkyrie.timing import Deadlines
from hotplane.valkyrie.window import Window

__all__ = ["ConnectionCounters", "OpenCalls"]


@dataclass(slots=True)
class ConnectionCounters:
    """What happened on a connection since it was made."""

    calls: int = 0
    late: int = 0
    """Answers to calls that their caller had given up."""
    unknown: int = 0
    """Answers to calls that were never made, or were answered already."""


class OpenCalls:
    """Every call from its sending to its answer, also when nobody waits for it any more.

    Attributes:
        max_body: The largest frame that the peer accepts, in bytes.
    """

    __slots__ = (
        "_batch", "_deadlines", "_entries", "_first_unsent", "_last_id", "_link", "_loop", "_window",
        "counters", "max_body",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, link: Link, window: Window) -> None:
        self.counters = ConnectionCounters()
        self.max_body = 0
        self._loop = loop
        self._link = link
        self._window = window
        self._entries: dict[int, tuple[asyncio.Future[bytes] | None, float]] = {}
        self._deadlines = Deadlines(loop, self._expire)
        self._last_id = 0
        self._batch, self._first_unsent = -1, 0

    def __len__(self) -> int:
        """Return how many calls the peer has not answered."""
        return len(self._entries)

    def start(
        self, target: str, method: str, payload: bytes, deadline: float, trace: str | None
    ) -> tuple[int, asyncio.Future[bytes]]:
        """Send a call; return its id and the future of its answer.

        Raises:
            DeadlineExceeded: There is no time left for it.
            TooLarge: It does not fit.
        """
        remaining_ms = ceil((deadline - self._loop.time()) * 1000)
        if remaining_ms < 1:
            raise DeadlineExceeded("the deadline had passed before the call was sent", executed="no")
        if len(target) > MAX_TARGET or len(method) > MAX_METHOD or (trace and len(trace) > MAX_TRACE):
            raise TooLarge("the call's target, method or trace is too long", executed="no")
        self._last_id = call_id = self._last_id + 1
        body = encode(Call(call_id, target, method, min(remaining_ms, MAX_REMAINING_MS), trace, payload))
        if len(body) > self.max_body:
            raise TooLarge(f"the call has {len(body)} bytes; the peer takes {self.max_body}", executed="no")
        if self._batch != self._link.flushes:
            self._batch = self._link.flushes
            self._first_unsent = call_id
        future: asyncio.Future[bytes] = self._loop.create_future()
        self._entries[call_id] = (future, deadline)
        self.counters.calls += 1
        self._deadlines.add(deadline)
        self._link.send(body)
        return call_id, future

    def end(self, call_id: int, outcome: bytes | CallFailed) -> None:
        """Give a call its answer; one that nobody waits for is counted and dropped."""
        entry = self._entries.pop(call_id, None)
        if entry is None:
            self.counters.unknown += 1
            return
        future = entry[0]
        if future is None or future.done():
            self.counters.late += 1
        elif isinstance(outcome, bytes):
            future.set_result(outcome)
        else:
            future.set_exception(outcome)
        self._window.give_back()

    def give_up(self, call_id: int) -> None:
        """Tell the peer that nobody waits any more; the place stays taken until it answers."""
        if call_id in self._entries:
            self._entries[call_id] = (None, inf)
            self._link.send(encode(Cancel(call_id)))

    def fail(self, endpoint: str, reason: str) -> None:
        """End every call because the connection is gone."""
        self._deadlines.stop()
        entries, self._entries = self._entries, {}
        for call_id, (future, _) in entries.items():
            if future is not None and not future.done():
                future.set_exception(ConnectionLost(endpoint, reason, executed=self._executed(call_id)))

    def _expire(self, now: float) -> float:
        earliest = inf
        for call_id, (future, deadline) in list(self._entries.items()):
            if deadline > now:
                earliest = min(earliest, deadline)
                continue
            if future is not None and not future.done():
                future.set_exception(DeadlineExceeded())
            self.give_up(call_id)
        return earliest

    def _executed(self, call_id: int) -> Executed:
        """Tell whether a lost connection's transport had the call: it had all but those queued since the last flush."""
        unsent = self._batch == self._link.flushes and call_id >= self._first_unsent
        return "no" if unsent else "maybe"
