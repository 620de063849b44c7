"""The connections to one endpoint: made, watched and replaced beside the calls, never inside one.

Imports only `plugins`, `valkyrie`, `values` and what lies beside it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from math import inf

from hotplane.builtin.runners.valkyrie.lane import Lane
from hotplane.builtin.runners.valkyrie.settings import Plan
from hotplane.builtin.runners.valkyrie.tally import Tally
from hotplane.plugins import Logger
from hotplane.valkyrie import ConnectFailed, Connection, DeadlineExceeded, Endpoint, ValkyrieError, connect
from hotplane.values import Json

__all__ = ["PONG_SECONDS", "Station", "back_off"]

PONG_SECONDS = 2.0
"""A worker that takes longer for a pong is lost."""
_STABLE_SECONDS = 1.0
"""A connection that ends sooner counts as a failed attempt: a worker that hangs up must not be called all the time."""
_RECONNECT_HOPE_SECONDS = 0.5
"""So long may calls wait for the replacement of a lost connection: a worker that is there answers sooner."""
_ERROR_CHARACTERS = 160


def back_off(failures: int, shortest: float, longest: float, chance: float) -> float:
    """Return how long to wait before the next attempt: exponential with equal jitter.

    The wait doubles with every failure and is spread down to its half, so that hosts which lost a worker at the same
    time do not come back at the same time (Brooker, "Exponential Backoff And Jitter").

    Args:
        failures: Failed attempts in a row; without one the next attempt is made at once.
        shortest: Seconds after the first failure.
        longest: Seconds at most.
        chance: A number in [0, 1).
    """
    if not failures:
        return 0.0
    # The exponent is bounded because an outage can be long and floats are not.
    return min(longest, shortest * 2.0 ** min(failures - 1, 60)) * (0.5 + chance / 2)


class Station:
    """Keeps the wanted number of connections to one endpoint.

    Args:
        endpoint: Where the worker is.
        plan: Settings.
        tally: Where things are counted.
        notice: Called when connections came, went, or could not be made.
        log: The runner's logger.

    Attributes:
        lanes: Connections that take calls.
        failures: Failed attempts in a row, connections that ended at once included.
        hopeful_until: Until when a caller may wait for a connection, in the loop's time.
        last_error: Why there is no connection, in a sentence without its full stop; empty while there are some.
    """

    def __init__(self, endpoint: Endpoint, plan: Plan, tally: Tally, notice: Callable[[], None], log: Logger) -> None:
        self.endpoint = str(endpoint)
        self.tally = tally
        self.lanes: list[Lane] = []
        self.failures = 0
        self.last_error = f"{self.endpoint}: not connected yet"
        self._loop = asyncio.get_running_loop()
        self.hopeful_until = self._loop.time() + plan.client.connect_timeout_seconds
        self._address = endpoint
        self._plan = plan
        self._notice = notice
        self._log = log
        self._open: dict[Connection, asyncio.Task[None]] = {}
        self._vacant = asyncio.Event()
        self._vacant.set()
        self._closing = False
        self._delay = 0.0
        self._retry_at = 0.0
        self._keeper = asyncio.create_task(self._keep(), name=f"valkyrie keeper of {self.endpoint}")

    @property
    def state(self) -> str:
        """``connected``, ``connecting`` or ``waiting`` for the next attempt."""
        if self.lanes:
            return "connected"
        return "waiting" if self._retry_at > self._loop.time() else "connecting"

    @property
    def settled(self) -> bool:
        """Whether the first attempt to connect has ended."""
        return bool(self.lanes or self.failures)

    @property
    def in_flight(self) -> int:
        """Calls that the worker has not answered, on connections that drain too."""
        return sum(connection.in_flight for connection in self._open)

    @property
    def retry_after(self) -> float:
        """Seconds until the next attempt to connect."""
        return max(0.0, self._retry_at - self._loop.time())

    def left(self, lane: Lane) -> None:
        """Hear that a connection takes no more calls: the worker drains, or is gone; replace it."""
        if self._closing or lane not in self.lanes:
            return
        self.lanes.remove(lane)
        self.tally.losses += 1
        what = "the worker is shutting down" if lane.connection.draining else "the connection was lost"
        reason = f"{self.endpoint}: {what}"
        if not self.lanes:
            self._log.warning("valkyrie.disconnected", endpoint=self.endpoint, reason=what)
        now = self._loop.time()
        if now - lane.since < _STABLE_SECONDS:
            self._give_up_hope(reason)
        else:
            self.failures, self._delay = 0, 0.0
            self.hopeful_until = now + _RECONNECT_HOPE_SECONDS
            self.last_error = "" if self.lanes else reason
        self._vacant.set()
        self._notice()

    async def probe(self) -> None:
        """Ping the worker on every connection; those that bring no answer are closed and replaced."""
        await asyncio.gather(*(self._ping(lane) for lane in self.lanes))

    async def drain(self, seconds: float) -> None:
        """Make no more connections, let open calls end for `seconds`, then close."""
        self._closing = True
        self.hopeful_until = -inf
        self._keeper.cancel()
        self.lanes.clear()
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(connection.drain() for connection in self._open))
        except TimeoutError:
            if self.in_flight:
                self._log.warning("valkyrie.drain-overran", endpoint=self.endpoint, in_flight=self.in_flight)
        finally:
            for connection in self._open:
                connection.close()
        await asyncio.gather(self._keeper, *self._open.values(), return_exceptions=True)

    def details(self) -> dict[str, Json]:
        """Return how the endpoint stands."""
        loads = [lane.load for lane in self.lanes if lane.load is not None]
        trips = [load.round_trip_seconds for load in loads]
        return {
            "state": self.state,
            "connections": len(self.lanes),
            "in_flight": self.in_flight,
            "worker_load": round(max((lane.load_fraction for lane in self.lanes), default=0.0), 3),
            "ping_ms": round(max(trips) * 1e3, 3) if trips else None,
            "error": self.last_error[:_ERROR_CHARACTERS],
        }

    # --- keeping connections ---

    async def _keep(self) -> None:
        while True:
            await self._vacant.wait()
            self._retry_at = self._loop.time() + self._delay
            await asyncio.sleep(self._delay)
            await self._connect()
            if len(self.lanes) >= self._plan.connections_each:
                self._vacant.clear()

    async def _connect(self) -> None:
        try:
            connection = await connect(self._address, self._plan.client)
        except Exception as error:
            # Not only ValkyrieError: certificate files are read anew, names are encoded, and a keeper that
            # ends would leave the endpoint alone for ever.
            self._failed(error)
        else:
            self._joined(connection)
        self._notice()

    def _failed(self, error: Exception) -> None:
        text = str(error).rstrip(".") or type(error).__name__
        reason = text if isinstance(error, ConnectFailed) else f"{self.endpoint}: {text}"
        self.tally.failed_connects += 1
        if not self.failures and not self.lanes:
            self._log.warning("valkyrie.not-connected", endpoint=self.endpoint, reason=reason)
        self._give_up_hope(reason)

    def _joined(self, connection: Connection) -> None:
        lane = Lane(connection, self.tally, self._loop.time())
        self._open[connection] = asyncio.create_task(self._forget(connection))
        connection.on_draining = lambda _: self.left(lane)
        self.lanes.append(lane)
        self.hopeful_until = -inf
        # Not zero: whether the worker hangs up on this one, too, shows only within that time.
        self._delay = min(self._delay, _STABLE_SECONDS)
        self.tally.joined()
        if len(self.lanes) == 1:
            self._log.info("valkyrie.connected", endpoint=self.endpoint, worker=connection.peer.name)
        self.last_error = ""
        if not connection.usable:  # it ended before anybody could be told
            self.left(lane)

    def _give_up_hope(self, reason: str) -> None:
        self.failures += 1
        shortest, longest = self._plan.reconnect_min_seconds, self._plan.reconnect_max_seconds
        self._delay = back_off(self.failures, shortest, longest, random.random())  # noqa: S311 - not a secret
        self.hopeful_until = -inf
        self.last_error = "" if self.lanes else reason

    async def _forget(self, connection: Connection) -> None:
        await connection.wait_closed()
        del self._open[connection]

    async def _ping(self, lane: Lane) -> None:
        try:
            lane.load = await lane.connection.ping(PONG_SECONDS)
        except DeadlineExceeded:
            if lane.connection.in_flight:
                # The pong may be queued behind a large result. The connection watches itself while calls are open.
                return
            self._log.warning("valkyrie.no-pong", endpoint=self.endpoint, seconds=PONG_SECONDS)
            lane.connection.close()
        except ValkyrieError as error:
            self._log.debug("valkyrie.ping-failed", endpoint=self.endpoint, reason=str(error))
