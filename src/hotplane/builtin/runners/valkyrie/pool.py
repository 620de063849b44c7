"""The connections to all endpoints of one configuration, and which of them takes the next call.

Imports only `plugins`, `valkyrie`, `values` and what lies beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from hotplane.builtin.runners.valkyrie.lane import Lane
from hotplane.builtin.runners.valkyrie.settings import Plan
from hotplane.builtin.runners.valkyrie.station import Station
from hotplane.builtin.runners.valkyrie.tally import Tally
from hotplane.plugins import Logger, NotExecuted
from hotplane.values import Json

__all__ = ["Pool"]

_SHARE = 0.5
"""A call spends at most this part of its time on waiting for a connection; the rest is for the next runner."""


class Pool:
    """Connects as soon as it is made, and until it is drained; belongs to the loop on which it was made.

    Args:
        plan: Settings.
        tally: Gives the tally of an endpoint.
        log: The runner's logger.

    Attributes:
        stations: One for each endpoint, in the order of the configuration.
    """

    def __init__(self, plan: Plan, tally: Callable[[str], Tally], log: Logger) -> None:
        self._plan = plan
        self._loop = asyncio.get_running_loop()
        self._news: asyncio.Future[None] = self._loop.create_future()
        self._turn = 0
        self.stations = tuple(Station(worker, plan, tally(str(worker)), self._notify, log) for worker in plan.workers)
        self._pinging = asyncio.create_task(self._ping_for_ever(), name="valkyrie pings")

    def pick(self, tried: Collection[object] = ()) -> Lane | None:
        """Return the least burdened connection that can take a call; None when there is none.

        Args:
            tried: Stations and lanes that are left out.
        """
        best: Lane | None = None
        least: tuple[float, int, int] | None = None
        for station, lane in self._candidates(tried):
            if not lane.connection.usable:
                # It is closing, which takes long where the worker does not read; its loss is told only then.
                station.left(lane)
                continue
            burden = lane.burden()
            if least is None or burden < least:
                best, least = lane, burden
        if best is not None:
            self._turn += 1
            best.turn = self._turn
        return best

    async def lane(self, tried: Collection[object], seconds: float) -> Lane:
        """Return a connection for a call, at once where there is one or no hope for one.

        Waiting makes sense only while a first attempt to connect, or the one that follows the loss of a good
        connection, is under way: an endpoint that was tried in vain costs a call nothing.

        Args:
            tried: Stations and lanes that are left out.
            seconds: What is left of the call's time; at most half of it is spent.

        Raises:
            NotExecuted: There is none.
        """
        ends_at = self._loop.time() + min(self._plan.client.connect_timeout_seconds, seconds * _SHARE)
        while (lane := self.pick(tried)) is None:
            hopes = [station.hopeful_until for station in self.stations if station not in tried]
            wait = min(ends_at, max(hopes, default=0.0)) - self._loop.time()
            if wait <= 0:
                raise self._none()
            await asyncio.wait((self._news,), timeout=wait)
        return lane

    async def settle(self, seconds: float) -> None:
        """Wait until the first attempt of every endpoint has ended, at most `seconds`."""
        ends_at = self._loop.time() + seconds
        while not all(station.settled for station in self.stations):
            wait = ends_at - self._loop.time()
            if wait <= 0:
                return
            await asyncio.wait((self._news,), timeout=wait)

    async def probe(self) -> None:
        """Ping every worker on every connection."""
        await asyncio.gather(*(station.probe() for station in self.stations))

    async def drain(self, seconds: float) -> None:
        """Make no more connections, let open calls end for `seconds`, then close everything."""
        self._pinging.cancel()
        draining = asyncio.gather(*(station.drain(seconds) for station in self.stations))
        self._loop.call_soon(self._notify)  # whoever waits for a connection finds that there is no hope any more
        await draining
        await asyncio.gather(self._pinging, return_exceptions=True)

    def details(self) -> dict[str, dict[str, Json]]:
        """Return how each endpoint stands."""
        return {station.endpoint: station.details() for station in self.stations}

    def _candidates(self, tried: Collection[object]) -> list[tuple[Station, Lane]]:
        if not tried:
            return [(station, lane) for station in self.stations for lane in station.lanes]
        asked = (station for station in self.stations if station not in tried)
        return [(station, lane) for station in asked for lane in station.lanes if lane not in tried]

    def _none(self) -> NotExecuted:
        reasons = "; ".join(station.last_error for station in self.stations if station.last_error)
        wait = min(station.retry_after for station in self.stations)
        return NotExecuted(f"No worker can be reached. {reasons}.", code="no-connection", retry_after=wait)

    def _notify(self) -> None:
        """Wake everybody who waits for a connection."""
        news, self._news = self._news, self._loop.create_future()
        news.set_result(None)

    async def _ping_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._plan.health_check_seconds)
            await self.probe()
