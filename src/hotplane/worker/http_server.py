"""Listening for HTTP: uvicorn's connections, with the limits that they do not have. Imports its own room and below.

uvicorn's parser keeps a head of any size and waits for it for ever, so that idle connections would add up.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, cast

from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from hotplane.network.answering import connections, renew_date
from hotplane.valkyrie.listener import open_tcp
from hotplane.valkyrie.tls import server_context
from hotplane.worker.settings import HttpAddress, WorkerSettings

__all__ = ["HttpServer"]

_BACKLOG = 1024
_HEAD_BYTES = 32_768
_DATE_SECONDS = 1.0
_CLOSING_SECONDS = 0.1
"""What answers that are still on their way may take when the server closes."""


class _Connection(HttpToolsProtocol):
    """A connection that has to send a whole head of limited size in limited time."""

    max_connections = 0
    head_seconds = 0.0

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._head_bytes = 0
        self._clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            transport.abort()
        else:
            self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._clock is None and self._between_requests():
            self._start_clock()
        if self._clock is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._clock is not None and self._head_bytes > _HEAD_BYTES:
            self.send_400_response("The head of the request is too large.")

    def on_headers_complete(self) -> None:
        self._stop_clock()
        super().on_headers_complete()

    def _between_requests(self) -> bool:
        # uvicorn declares that there is always a cycle, and begins with None.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or cycle.response_complete

    def _start_clock(self) -> None:
        self._head_bytes = 0
        self._clock = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None


class HttpServer:
    """Serves an application at an address."""

    def __init__(self, application: ASGIApp, address: HttpAddress, settings: WorkerSettings) -> None:
        self._application = application
        self._address = address
        self._settings = settings
        self._state = ServerState()
        self._servers: list[asyncio.Server] = []
        self._dating: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens, with the real port."""
        return str(self._address)

    async def start(self) -> None:
        """Listen.

        Raises:
            AddressInUse: Something else is there.
            ConfigurationError: A certificate file cannot be used.
        """
        loop = asyncio.get_running_loop()
        context = self._context()
        endpoint = self._address.endpoint
        make = self._make_connections()
        for listening in await loop.run_in_executor(None, open_tcp, endpoint, _BACKLOG):
            port = int(listening.getsockname()[1])
            self._address = self._address.model_copy(update={"port": port})
            self._servers.append(await loop.create_server(make, sock=listening, backlog=_BACKLOG, ssl=context))
        self._dating = asyncio.create_task(self._renew_date())

    async def close(self) -> None:
        """Take no more connections, let answers that are on their way get out, and close."""
        for server in self._servers:
            server.close()
        if self._dating is not None:
            self._dating.cancel()
        answering = set(self._state.tasks)
        if answering:
            await asyncio.wait(answering, timeout=_CLOSING_SECONDS)
        for connection in list(self._state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.close()
        await asyncio.sleep(0)

    def _context(self) -> ssl.SSLContext | None:
        return server_context(self._settings.tls) if self._address.scheme == "https" else None

    def _make_connections(self) -> Callable[[], asyncio.Protocol]:
        return connections(
            self._application,
            _Connection,
            self._state,
            max_connections=self._settings.max_http_connections,
            head_seconds=self._settings.http_request_seconds,
        )

    async def _renew_date(self) -> None:
        while True:
            renew_date(self._state)
            await asyncio.sleep(_DATE_SECONDS)
