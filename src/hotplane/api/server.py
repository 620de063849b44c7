"""The server: uvicorn's connections on our own listening, stopping and housekeeping. Owns the host while it runs.

Imports only lower rooms and `hotplane.api`.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from time import monotonic

from uvicorn.server import ServerState

from hotplane.api.application import create_app
from hotplane.api.listening import bind, refusal, url_of
from hotplane.api.ongoing import Ongoing
from hotplane.api.protocol import Connection, ConnectionLimits
from hotplane.app import Hotplane
from hotplane.limits import left_of
from hotplane.log import get_logger
from hotplane.network.answering import connections, renew_date

__all__ = ["Server", "serve"]

_BACKLOG = 2048
_HOUSEKEEPING_SECONDS = 1.0
_LAST_SECONDS = 0.8
"""What stopping may take beyond its grace: interrupting, recording and answering what is left."""
_COLLECT_AFTER = (10_000, 20, 10)
"""Allocations before a collection of the youngest generation, and how many of those before one of the next."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Server:
    """A host behind HTTP.

    Args:
        host: Started by `start`, stopped by `stop`.
        limits: What one connection may take; by default what the configuration says, and sane values.
    """

    def __init__(self, host: Hotplane, *, limits: ConnectionLimits | None = None) -> None:
        self._host = host
        self._settings = host.config.server
        self._limits = limits or ConnectionLimits(connections=self._settings.max_connections)
        self._state = ServerState()
        self._ongoing = Ongoing(self._settings)
        self._listeners: list[asyncio.Server] = []
        self._housekeeper: asyncio.Task[None] | None = None
        self._log = get_logger()
        self.url = ""
        """Where it is reached; known once it has started."""

    async def start(self) -> None:
        """Bind, start the host, listen.

        Raises:
            PortInUse, CannotListen: The address cannot be had; the host was not started.
            HotplaneError: What `Hotplane.start` raises.
        """
        settings = self._settings
        sockets = bind(settings.host, settings.port)
        try:
            await self._host.start()
        except BaseException:
            for each in sockets:
                each.close()
            raise
        make = connections(create_app(self._host, self._ongoing), Connection, self._state, limits=self._limits)
        loop = asyncio.get_running_loop()
        try:
            for each in sockets:
                self._listeners.append(await loop.create_server(make, sock=each, backlog=_BACKLOG))
        except OSError as error:
            for each in sockets:
                each.close()
            await self._host.stop(0)
            raise refusal(error, settings.host, settings.port) from None
        self.url = url_of(settings.host, sockets[0])
        self._housekeeper = asyncio.create_task(self._keep_house(), name="hotplane-http-housekeeping")

    async def stop(self, grace: float | None = None) -> None:
        """Stop listening, wait for what is being answered, stop the host, close.

        Args:
            grace: Seconds for requests to finish; the configured ones by default. What is left then is interrupted,
                recorded and answered.
        """
        grace = self._settings.shutdown_grace_seconds if grace is None else grace
        ends_at = monotonic() + grace
        for listener in self._listeners:
            listener.close()
        self._ongoing.streams.close()
        for connection in self._open():
            connection.shutdown()
        await self._answered(grace)
        await self._ongoing.operations.close()
        try:
            await self._stop_host(max(0.0, ends_at - monotonic()), grace)
        except Exception:
            await self._close()
            raise
        await self._close()  # not where this is cancelled: the stop that follows still answers what is open

    async def _close(self) -> None:
        try:
            await self._answered(0.1)
        finally:
            for connection in self._open():
                connection.transport.close()
            if self._housekeeper is not None:
                self._housekeeper.cancel()

    async def _stop_host(self, left: float, grace: float) -> None:
        stopping = asyncio.create_task(self._host.stop(left), name="hotplane-host-stop")
        try:
            if await left_of({stopping}, left + _LAST_SECONDS):
                self._log.error("server.host-did-not-stop", grace_seconds=grace)
        finally:
            stopping.cancel()
            await asyncio.gather(stopping, return_exceptions=True)
        if not stopping.cancelled():
            stopping.result()

    async def _answered(self, limit: float) -> None:
        tasks = set(self._state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=limit)

    async def _keep_house(self) -> None:
        """Every second: renew the header Date, and end connections that keep us waiting."""
        loop = asyncio.get_running_loop()
        pause = min(_HOUSEKEEPING_SECONDS, self._limits.request_seconds)
        while True:
            renew_date(self._state)
            for connection in self._open():
                connection.expire(loop.time())
            await asyncio.sleep(pause)

    def _open(self) -> list[Connection]:
        return [each for each in self._state.connections if isinstance(each, Connection)]


async def serve(host: Hotplane, *, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve a host until SIGTERM or SIGINT; a second signal does not wait for anything.

    Returns within `server.shutdown_grace_seconds` and a second of the first signal.

    Args:
        host: A host that is not started.
        on_ready: Called with the URL once requests are answered; the port in it is the real one.

    Raises:
        PortInUse, CannotListen: The address cannot be had.
        HotplaneError: What `Hotplane.start` raises.
    """
    server = Server(host)
    asked = asyncio.Event()
    insisted = asyncio.Event()
    with _signals(asked, insisted):
        await server.start()
        try:
            with _collecting_rarely():
                if on_ready is not None:
                    on_ready(server.url)
                await asked.wait()
        finally:
            get_logger().info("server.stopping", grace_seconds=host.config.server.shutdown_grace_seconds)
            await _stop(server, insisted)


async def _stop(server: Server, insisted: asyncio.Event) -> None:
    stopping = asyncio.create_task(server.stop())
    insisting = asyncio.create_task(insisted.wait())
    await asyncio.wait({stopping, insisting}, return_when=asyncio.FIRST_COMPLETED)
    insisting.cancel()
    if not stopping.done():
        stopping.cancel()
        await asyncio.wait({stopping})
        await server.stop(0)
    elif not stopping.cancelled():
        stopping.result()


@contextmanager
def _collecting_rarely() -> Generator[None]:
    """Have the garbage collector leave what stands alone, and look less often at what comes and goes.

    An execution makes some hundred containers and hardly a cycle; with the interpreter's own thresholds collecting
    takes about a seventh of the time of a busy server. Only a process that does nothing but serve may decide this.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextmanager
def _signals(asked: asyncio.Event, insisted: asyncio.Event) -> Generator[None]:
    """Set `asked` on the first signal and `insisted` on the second; a third one ends the process as it always does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def handle() -> None:
        if asked.is_set():
            insisted.set()
            restore()
        asked.set()

    def restore() -> None:
        for each in _SIGNALS:
            loop.remove_signal_handler(each)

    for each in _SIGNALS:
        loop.add_signal_handler(each, handle)
    try:
        yield
    finally:
        restore()
