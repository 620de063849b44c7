"""The worker as a whole: two doors over one dispatcher, started, drained, stopped. Imports its own room and below."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hotplane.errors import MissingExtra
from hotplane.log import get_logger
from hotplane.programs import Programs, add_paths
from hotplane.valkyrie import Server
from hotplane.valkyrie import serve as serve_valkyrie
from hotplane.worker.cpu_bound import CpuBound
from hotplane.worker.dispatch import Dispatcher
from hotplane.worker.preparation import prepare
from hotplane.worker.processes import ProcessPool
from hotplane.worker.running import InProcess
from hotplane.worker.settings import HttpAddress, WorkerSettings
from hotplane.worker.tally import Tally, family

if TYPE_CHECKING:
    from hotplane.worker.http import HttpDoor
    from hotplane.worker.http_server import HttpServer

__all__ = ["Worker"]


class Worker:
    """Runs programs for whoever may ask.

    Attributes:
        draining: Whether new calls are refused.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self.draining = False
        self._settings = settings
        self._programs = Programs(settings.for_programs())
        self._pool = ProcessPool(settings) if settings.process_count else None
        self._cpu_bound = CpuBound(settings.cpu_bound)
        self._tally = Tally()
        self._dispatcher = Dispatcher(
            self._programs.settings, InProcess(self._programs), self._pool, self._cpu_bound, self._tally
        )
        self._server: Server | None = None
        self._door: HttpDoor | None = None
        self._http: HttpServer | None = None
        self._log = get_logger()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it is reached, with the real ports: Valkyrie's endpoint, and the HTTP address if there is one."""
        return tuple(
            each for each in (self._server and str(self._server.endpoint), self._http and self._http.url) if each
        )

    @property
    def running(self) -> int:
        """Calls that run now, through both doors."""
        return self._server.running if self._server is not None else 0

    async def start(self) -> None:
        """Look for the programs, start the processes, open the doors.

        Raises:
            NothingMatches: A pattern allows nothing that can be imported.
            Invalid: An address cannot be used, or would be open to everybody.
            MissingExtra: HTTP was asked for and is not installed.
            ProcessesDidNotStart: A process for CPU-bound programs does not start.
        """
        address = self._settings.http_address()
        add_paths(self._settings.paths)
        try:
            await prepare(self._programs, self._cpu_bound)
            if self._pool is not None:
                await self._pool.start()
            self._server = await serve_valkyrie(
                self._settings.listen, self._dispatcher.handle, self._settings.for_valkyrie()
            )
            if address is not None:
                await self._open_http(address)
        except BaseException:
            await self.stop(0)
            raise

    async def drain(self) -> None:
        """Refuse new calls, let those that run finish within the grace, then stop.

        HTTP goes on answering, so that a balancer sees that the worker is not ready any more.
        """
        self.draining = True
        grace = self._settings.drain_grace_seconds
        self._log.info("worker.draining", running=self.running, grace_seconds=grace)
        await self.stop(grace)

    async def stop(self, grace: float) -> None:
        """Stop both doors and end the processes.

        Args:
            grace: Seconds for calls to finish; then they are cancelled and answered so.
        """
        self.draining = True
        try:
            await asyncio.gather(self._stop_valkyrie(grace), self._stop_http(grace))
        finally:
            if self._http is not None:
                await self._http.close()
            if self._pool is not None:
                await self._pool.close()
            self._programs.close()

    # --- for the HTTP door ---

    def reasons(self) -> tuple[str, ...]:
        """Why it is not ready; empty when it is."""
        found: list[str] = []
        if self.draining:
            found.append("draining")
        if self.running >= self._settings.max_concurrency:
            found.append("overloaded")
        if self._programs.stuck_threads >= self._settings.max_stuck:
            found.append("too many stuck threads")
        if self._pool is not None and not self._pool.alive:
            found.append("no process for CPU-bound programs")
        return tuple(found)

    def enter(self) -> bool:
        """Take one of the places for calls; false when none is free.

        The Valkyrie server's count is the count of both doors, so that its pongs tell hosts the whole load.
        """
        if self._server is None or self._server.running >= self._settings.max_concurrency:
            return False
        self._server.running += 1
        return True

    def leave(self) -> None:
        """Give the place back."""
        if self._server is not None:
            self._server.running -= 1

    def metrics(self) -> str:
        """Return its numbers, for Prometheus."""
        lines = [*self._tally.lines()]
        for name, explained, value in self._gauges():
            lines += family(f"hotplane_worker_{name}", "gauge", explained, value)
        if self._pool is not None:
            ends = ((f'status="{code}"', number) for code, number in sorted(self._pool.ends.items()))
            lines += family("hotplane_worker_process_ends_total", "counter", "Processes that ended.", ends)
        return "".join(f"{line}\n" for line in lines)

    # --- parts ---

    def _gauges(self) -> Iterator[tuple[str, str, float]]:
        yield "calls_in_flight", "Calls that run now.", self.running
        yield "calls_limit", "Calls that may run at once.", self._settings.max_concurrency
        yield "connections", "Clients of Valkyrie.", self._server.connections if self._server is not None else 0
        yield "stuck_threads", "Threads that hang in overrun programs.", self._programs.stuck_threads
        yield "stuck_tasks", "Async programs that ignore their cancellation.", self._programs.stuck_tasks
        yield "ready", "Whether it is ready.", int(not self.reasons())
        if self._pool is not None:
            yield "processes", "Processes for CPU-bound programs that can be called.", self._pool.alive

    async def _open_http(self, address: HttpAddress) -> None:
        try:
            from hotplane.worker.http import HttpDoor
            from hotplane.worker.http_requests import Guard
            from hotplane.worker.http_server import HttpServer
        except ModuleNotFoundError as missing:
            raise MissingExtra("Serving HTTP", "server") from missing
        self._door = HttpDoor(self, self._dispatcher, Guard(self._settings, address.host), self._settings)
        server = HttpServer(self._door.application, address, self._settings)
        await server.start()
        self._http = server

    async def _stop_valkyrie(self, grace: float) -> None:
        if self._server is not None:
            await self._server.drain(grace)

    async def _stop_http(self, grace: float) -> None:
        if self._door is None:
            return
        try:
            async with asyncio.timeout(grace):
                await self._door.finish()
        except TimeoutError:
            self._log.warning("worker.calls-interrupted", door="http", calls=self._door.interrupt())
