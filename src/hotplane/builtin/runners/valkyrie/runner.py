"""`valkyrie`: the runner that has programs run by workers over Valkyrie, the binary protocol.

Imports only `plugins`, `records`, `valkyrie`, `values` and what lies beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hotplane.builtin.runners.valkyrie.exchange import decode_output, encode_input, translate, worth_another_try
from hotplane.builtin.runners.valkyrie.lane import Lane
from hotplane.builtin.runners.valkyrie.pool import Pool
from hotplane.builtin.runners.valkyrie.settings import ValkyrieConfig, plan
from hotplane.builtin.runners.valkyrie.station import Station
from hotplane.builtin.runners.valkyrie.tally import Tally
from hotplane.plugins import CURRENT_CALL, NotExecuted, PluginContext, ProgramOverran, Runner
from hotplane.records import Health, HealthStatus, PluginMetadata, Task
from hotplane.valkyrie import ConnectionLost, DeadlineExceeded, PeerShuttingDown, ValkyrieError
from hotplane.values import Json

__all__ = ["ValkyrieRunner"]

_MAX_TRIES = 4
"""How many workers are asked, at most, to take a call that none of them has begun."""
_LAST_WORD_SECONDS = 0.03
"""After the deadline a worker has this long to show that it is alive; hosts cut a runner off 50 ms after it."""
_FIRST_CONNECT_SECONDS = 2.0
"""So long `start` and `reconfigure` wait for connections; a worker that is down must not keep a host from starting."""
_STOP_SECONDS = 3.0
"""So long `stop` waits for open calls; hosts force a stop after 5 s by default."""
_CLOSE_SECONDS = 0.5
"""So long closing may take after that."""
_RETIRE_SECONDS = 30.0
"""So long the connections of an earlier configuration may finish their calls."""


class ValkyrieRunner(Runner[ValkyrieConfig]):
    """Sends executions to the least loaded of its workers, many at once over few connections.

    A call that no worker has begun moves on to another worker by itself; one that may have run never does. Connections
    are made and replaced beside the calls. The runner belongs to the process and the event loop that started it: after
    a fork, or on another loop, make a new one.
    """

    metadata = PluginMetadata(
        name="valkyrie",
        version="0.1.0",
        description="Has programs run by remote workers over Valkyrie, a binary protocol.",
        author="The Hotplane developers",
    )
    vetted = True
    recovers_itself = True

    def __init__(self, config: ValkyrieConfig | None = None) -> None:
        super().__init__(config)
        self._pool: Pool | None = None
        self._context: PluginContext | None = None
        self._stopped = False
        self._changing = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()
        self._tallies: dict[str, Tally] = {}
        self._moved = 0

    async def start(self, context: PluginContext) -> None:
        """Connect; return as soon as every worker has answered or failed, after two seconds at the latest.

        Raises:
            PluginMisconfigured: The secret or a certificate file cannot be used. Workers that are down are no error.
        """
        self._context = context
        self._stopped = False
        self._pool = await self._open(self.config, context)

    async def stop(self) -> None:
        """Take no more calls, let those that run end for a while, and close every connection."""
        self._stopped = True
        pool, self._pool = self._pool, None
        if pool is not None:
            self._retire(pool, _STOP_SECONDS)
        if not self._retiring:
            return
        try:
            await asyncio.wait(self._retiring, timeout=_STOP_SECONDS + _CLOSE_SECONDS)
        finally:
            # Pools of earlier configurations may drain for longer; cancelled, they close at once.
            for task in self._retiring:
                task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)

    async def reconfigure(self, config: ValkyrieConfig) -> None:
        """Take other settings without dropping a call: new calls go over new connections, old ones end on the old.

        Raises:
            PluginMisconfigured: The new settings cannot be used; the old ones stay.
        """
        async with self._changing:
            if self._context is None or self._pool is None:
                self.config = config
                return
            successor = await self._open(config, self._context)
            if self._stopped:
                self._retire(successor, 0.0)
                return
            before, self._pool, self.config = self._pool, successor, config
            self._tallies = {station.endpoint: station.tally for station in successor.stations}
            self._retire(before, _RETIRE_SECONDS)

    async def check_health(self) -> Health:
        """Ping every worker: healthy when all can take calls, degraded when some can, unhealthy when none can."""
        pool = self._pool
        if pool is None:
            return Health(status=HealthStatus.UNHEALTHY, message="The runner is not started.")
        await pool.probe()
        down = [station for station in pool.stations if not any(lane.connection.usable for lane in station.lanes)]
        if not down:
            return Health(details=pool.details())
        status = HealthStatus.UNHEALTHY if len(down) == len(pool.stations) else HealthStatus.DEGRADED
        return Health(status=status, message=_sentence(down, len(pool.stations)), details=pool.details())

    async def stats(self) -> Mapping[str, Json]:
        """Return what happened at each endpoint of the present configuration, and how it stands now."""
        standing = {} if self._pool is None else self._pool.details()
        return {
            "endpoints": {
                endpoint: {**standing.get(endpoint, {}), **tally.snapshot()}
                for endpoint, tally in self._tallies.items()
            },
            "moved": self._moved,
            "draining_pools": len(self._retiring),
        }

    async def run(self, task: Task, input: Json, deadline: float) -> Json:
        """Have a worker run the program.

        Raises:
            ProgramFailed: The program raised, or returned what is not JSON or too large for a frame.
            ProgramOverran: The deadline passed, and the worker is alive.
            TimeoutError: The deadline passed, and the worker gives no sign of life.
            NotExecuted: It certainly did not run.
            TransportFailed: It may have run.
        """
        clock = asyncio.get_running_loop().time
        ends_at = clock() + min(deadline, self.config.request_timeout_ms / 1e3)
        payload = encode_input(input)
        call = CURRENT_CALL.get()
        trace = None if call is None else call.traceparent
        tried: set[object] = set()
        refusal: Exception | None = None
        while True:
            lane = await self._lane(tried, ends_at, refusal)
            try:
                result = await lane.call(task.program, payload, ends_at - clock(), trace, timed=self.config.metrics)
                break
            except ValkyrieError as error:
                refusal = await self._judged(lane, error)
                if len(tried) + 1 >= _MAX_TRIES or not worth_another_try(error):
                    raise refusal from None
                tried.add(self._to_avoid(lane, error))
            self._moved += 1
        return decode_output(result)

    async def _open(self, config: ValkyrieConfig, context: PluginContext) -> Pool:
        pool = Pool(plan(config), self._tally, context.log)
        try:
            await pool.settle(_FIRST_CONNECT_SECONDS)
        except BaseException:
            self._retire(pool, 0.0)
            raise
        return pool

    async def _lane(self, tried: set[object], ends_at: float, refusal: Exception | None) -> Lane:
        clock = asyncio.get_running_loop().time
        while (pool := self._pool) is not None:
            try:
                return await pool.lane(tried, ends_at - clock())
            except NotExecuted as nobody:
                if self._pool is pool:
                    # What a worker said of itself tells more than that there is no other.
                    raise (refusal or nobody) from None
        code, state = ("shutting-down", "is stopped") if self._stopped else ("not-started", "is not started")
        raise NotExecuted(f"The runner {state}.", code=code, counts=False)

    async def _judged(self, lane: Lane, error: ValkyrieError) -> Exception:
        if not isinstance(error, DeadlineExceeded) or error.executed == "no":
            return translate(error)
        try:
            # This side's clock rings before the worker's answer could be here, so that its word is asked for.
            await lane.connection.ping(_LAST_WORD_SECONDS)
        except ValkyrieError:
            return TimeoutError(f"{lane.connection.endpoint} gave no answer in time, and no sign of life")
        return ProgramOverran(f"{lane.connection.endpoint} is alive, and the program did not end in time")

    def _to_avoid(self, lane: Lane, error: ValkyrieError) -> object:
        """Return what the next try leaves out: the connection where it is to blame, else all of the endpoint."""
        stations = () if self._pool is None else self._pool.stations
        if isinstance(error, ConnectionLost | PeerShuttingDown):
            return lane
        return next((station for station in stations if lane in station.lanes), lane)

    def _tally(self, endpoint: str) -> Tally:
        return self._tallies.setdefault(endpoint, Tally())

    def _retire(self, pool: Pool, seconds: float) -> None:
        task = asyncio.create_task(pool.drain(seconds), name="valkyrie connections retire")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)


def _sentence(down: list[Station], of: int) -> str:
    which = "; ".join(station.last_error for station in down if station.last_error)
    return f"{len(down)} of {of} workers cannot be reached. {which}."
