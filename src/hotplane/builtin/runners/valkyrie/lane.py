"""One connection of a pool: how busy it is, and making calls on it. Imports only `valkyrie` and what lies beside it."""

from __future__ import annotations

import asyncio
from time import perf_counter_ns

from hotplane.builtin.runners.valkyrie.exchange import METHOD
from hotplane.builtin.runners.valkyrie.tally import Tally
from hotplane.valkyrie import Connection, PeerLoad, ValkyrieError

__all__ = ["Lane"]

_LOAD_STEPS = 10
"""A worker's load is compared in tenths: the report is some seconds old, and small differences mean nothing."""


class Lane:
    """A connection on which calls are made.

    Attributes:
        connection: The connection.
        load: What the worker said of itself last; None before its first answer to a ping.
        since: When it was made, in the loop's time.
        turn: When it was last chosen, as a number that counts up; ties go to whoever waited longest.
    """

    __slots__ = ("_tally", "_window", "connection", "load", "since", "turn")

    def __init__(self, connection: Connection, tally: Tally, since: float) -> None:
        self.connection = connection
        self.load: PeerLoad | None = None
        self.since = since
        self.turn = 0
        self._tally = tally
        self._window = max(1, connection.peer.window)

    @property
    def load_fraction(self) -> float:
        """How full the worker is, over all its connections, as it said last: 0 to 1, or 0 where it gave no limit."""
        load = self.load
        return load.running / load.limit if load is not None and load.limit else 0.0

    def burden(self) -> tuple[float, int, int]:
        """Return what lanes are compared by; the least burdened one takes the next call."""
        return self.connection.in_flight / self._window, int(self.load_fraction * _LOAD_STEPS), self.turn

    async def call(self, program: str, payload: bytes, seconds: float, trace: str | None, *, timed: bool) -> bytes:
        """Have the worker run a program.

        Raises:
            ValkyrieError: There is no result.
        """
        tally = self._tally
        tally.calls += 1
        tally.bytes_sent += len(payload)
        started = perf_counter_ns() if timed else 0
        try:
            result = await self.connection.call(program, METHOD, payload, seconds, trace)
        except ValkyrieError as error:
            tally.errors[error.code] += 1
            raise
        except asyncio.CancelledError:
            tally.errors["cancelled"] += 1
            raise
        tally.answered(len(result), perf_counter_ns() - started if timed else None)
        return result
