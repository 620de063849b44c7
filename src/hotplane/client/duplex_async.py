"""A transport for httpx2's AsyncClient that reads the answer while it sends. Imports httpx2 and its own room."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterable, AsyncIterator

import httpx2

from hotplane.client.exchange import Exchange, Gone, Head, seconds
from hotplane.client.wire import Wanted, Wire, connect

__all__ = ["AsyncDuplexTransport"]

_PAUSE_SECONDS = 0.01
"""TLS may want to read before it writes, or the other way around, while that side is in use: that soon passes."""


class AsyncDuplexTransport(httpx2.AsyncBaseTransport):
    """Every request has a connection of its own, which ends with the answer.

    Args:
        verify: How certificates are checked.
    """

    def __init__(self, verify: ssl.SSLContext | bool) -> None:
        self._verify = verify

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Begin to send the request, and return as soon as the answer begins; the body goes on by itself."""
        running = _Running(request, await self._connect(request))
        try:
            head = await running.head()
        except BaseException:
            await running.aclose()
            raise
        return httpx2.Response(head.status, headers=head.headers, stream=running, request=request)

    async def _connect(self, request: httpx2.Request) -> Wire:
        connecting = asyncio.ensure_future(asyncio.to_thread(connect, request, self._verify))
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(_hang_up)
            raise


class _Running(httpx2.AsyncByteStream):
    """An exchange under way; iterating gives the answer's body."""

    def __init__(self, request: httpx2.Request, wire: Wire) -> None:
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self._silence = seconds(request, "read")
        self._exchange = Exchange(request)
        self._source: Exception | None = None
        self._upload = asyncio.create_task(self._send(request), name="hotplane-client-upload")

    async def head(self) -> Head:
        while (head := self._exchange.head()) is None:
            await self._receive()
        return head

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            part = self._exchange.body()
            if part is None:
                await self._receive()
            elif part:
                yield part
            else:
                return

    async def aclose(self) -> None:
        self._upload.cancel()
        try:
            await asyncio.wait({self._upload})
        finally:
            self._wire.close()

    async def _send(self, request: httpx2.Request) -> None:
        """Send the request; what goes wrong shows when the answer is read, which may be there all the same."""
        assert isinstance(request.stream, AsyncIterable)  # noqa: S101 - which kind a request has follows from its client
        try:
            await self._write(self._exchange.begin())
            async for part in request.stream:
                await self._write(self._exchange.part(part))
            await self._write(self._exchange.end())
        except Gone:
            return
        except Exception as error:  # the program's own items
            self._source = error
            self._wire.break_off()

    async def _write(self, data: bytes) -> None:
        """Send all of it, however long that takes: the server holds back who sends too fast."""
        view = memoryview(data)
        while view:
            sent = self._wire.send(view)
            if isinstance(sent, Wanted):
                await self._possible(sent, Wanted.WRITING)
            else:
                view = view[sent:]

    async def _receive(self) -> None:
        try:
            async with asyncio.timeout(self._silence):
                while isinstance(data := self._wire.receive(), Wanted):
                    await self._possible(data, Wanted.READING)
        except TimeoutError:
            raise httpx2.ReadTimeout("nothing came for too long") from None
        except (OSError, Gone) as error:
            raise self._source or httpx2.ReadError(str(error) or "the connection broke") from None
        if self._source is not None:
            raise self._source
        self._exchange.receive(data)

    async def _possible(self, wanted: Wanted, own: Wanted) -> None:
        """Wait until an operation makes sense; the loop has room for one who waits in each direction."""
        if wanted is not own:
            await asyncio.sleep(_PAUSE_SECONDS)
            return
        number = self._wire.fileno()
        woken: asyncio.Future[None] = self._loop.create_future()
        reading = own is Wanted.READING
        (self._loop.add_reader if reading else self._loop.add_writer)(number, _wake, woken)
        try:
            await woken
        finally:
            (self._loop.remove_reader if reading else self._loop.remove_writer)(number)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _hang_up(connecting: asyncio.Future[Wire]) -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().close()
