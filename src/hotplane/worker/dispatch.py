"""Deciding where a program runs, in this process or in one of the pool, and counting how it went.

Imports only `valkyrie`, `programs` and its own room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from time import perf_counter

from hotplane.plugins import Call as Origin
from hotplane.programs import ProgramSettings
from hotplane.valkyrie import Call, CallCancelled, CallFailed, PeerFailed
from hotplane.worker.cpu_bound import CpuBound
from hotplane.worker.processes import ProcessPool
from hotplane.worker.running import InProcess, check_method
from hotplane.worker.tally import SUCCESS, Door, Tally

__all__ = ["Dispatcher"]


class Dispatcher:
    """Runs programs where they belong.

    Args:
        allowed: What may run at all.
        in_process: Runs programs here.
        pool: Runs programs elsewhere; none where nothing goes to processes.
        cpu_bound: What goes there.
        tally: Where calls are counted.
    """

    def __init__(
        self,
        allowed: ProgramSettings,
        in_process: InProcess,
        pool: ProcessPool | None,
        cpu_bound: CpuBound,
        tally: Tally,
    ) -> None:
        self._allowed = allowed
        self._in_process = in_process
        self._pool = pool
        self._cpu_bound = cpu_bound
        self._tally = tally

    def handle(self, call: Call) -> Coroutine[None, None, bytes]:
        """Serve a call of Valkyrie.

        Raises:
            UnknownTarget: A program has no such method.
        """
        check_method(call)
        origin = Origin(traceparent=call.trace)
        return self.run(call.target, call.payload, call.remaining_ms / 1e3, origin, door=Door.VALKYRIE)

    async def run(self, spec: str, payload: bytes, seconds: float, origin: Origin, *, door: Door) -> bytes:
        """Run a program and count the call; see `InProcess.run` for what comes in, out, and is raised."""
        started = perf_counter()
        outcome = PeerFailed.wire
        try:
            output = await self._run(spec, payload, seconds, origin)
        except CallFailed as failure:
            outcome = failure.wire
            raise
        except asyncio.CancelledError:
            outcome = CallCancelled.wire
            raise
        else:
            outcome = SUCCESS
            return output
        finally:
            self._tally.count(door, outcome, perf_counter() - started)

    async def _run(self, spec: str, payload: bytes, seconds: float, origin: Origin) -> bytes:
        pool = self._pool
        if pool is not None and self._cpu_bound.covers(spec) and self._allowed.allows(spec.partition(":")[0]):
            return await pool.run(spec, payload, seconds, origin.traceparent)
        return await self._in_process.run(spec, payload, seconds, origin)
