"""Streams of events (Server-Sent Events): one bounded queue for each client, ended when the server stops.

Imports only `errors`, `leaving`, `door`'s types and the host's feed. The format is that of the HTML standard.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Generic, Protocol, TypeVar

import msgspec
from starlette.responses import Response

from hotplane.api.bodies import Receive
from hotplane.api.door import Scope, Send
from hotplane.api.leaving import disconnected, end_tasks
from hotplane.errors import Overloaded, ShuttingDown

__all__ = ["EventStream", "Streams", "frame"]

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

_HEARTBEAT_SECONDS = 15.0
_LAST_SECONDS = 0.5
"""What a client gets to take its last events in when the server stops."""
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would keep events back until its buffer is full
]
_encode = msgspec.json.Encoder().encode


class Source(Protocol[T_co]):
    """Where events come from: the host's `Subscription` is one."""

    dropped: int
    """Events that were lost, since the client was too slow."""

    async def __anext__(self) -> T_co:
        """Return the next event, or raise `StopAsyncIteration` when there are no more."""
        ...

    def close(self) -> None:
        """Want no more of them."""
        ...


class Streams:
    """The open streams of a server.

    Args:
        limit: How many may be open at once.
        heartbeat_seconds: After so long without an event a comment is sent, so that nobody in between hangs up.
    """

    def __init__(self, limit: int, heartbeat_seconds: float = _HEARTBEAT_SECONDS) -> None:
        self.heartbeat_seconds = heartbeat_seconds
        self.closing = asyncio.Event()
        self._limit = limit
        self._open = 0

    def enter(self) -> None:
        """Count a stream; raises as `check`."""
        self.check()
        self._open += 1

    def check(self) -> None:
        """Make sure that one more may begin.

        Raises:
            Overloaded: There are too many.
            ShuttingDown: The server stops.
        """
        if self.closing.is_set():
            raise ShuttingDown
        if self._open >= self._limit:
            raise Overloaded("The server's event streams", self._limit, "server.max_event_streams")

    def leave(self) -> None:
        """Count a stream no more."""
        self._open -= 1

    def close(self) -> None:
        """End every stream, and refuse new ones."""
        self.closing.set()


def frame(event: str, data: object) -> bytes:
    """Return one event as it is sent; JSON has no line breaks, so that one line of data is enough."""
    return b"event: %b\ndata: %b\n\n" % (event.encode(), _encode(data))


class EventStream(Response, Generic[T]):
    """An answer that goes on until its client leaves, its source ends, or the server stops.

    A client that reads slowly is waited for by its own task alone; its source drops what does not fit, and the client
    is told how much in an event ``missed``.

    Args:
        source: Gives the events; closed at the end.
        name: Gives an event's name and data.
        streams: The server's.
    """

    media_type = "text/event-stream"

    def __init__(self, source: Source[T], name: Callable[[T], tuple[str, object]], streams: Streams) -> None:
        super().__init__()
        try:
            streams.enter()
        except Exception:
            source.close()
            raise
        self._source = source
        self._name = name
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        del scope
        tasks = [
            asyncio.create_task(self._send_all(send), name="hotplane-event-stream"),
            asyncio.create_task(disconnected(receive)),
            asyncio.create_task(self._streams.closing.wait()),
        ]
        sending, gone, _ = tasks
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self._source.close()
            if not gone.done():
                await asyncio.wait({sending}, timeout=_LAST_SECONDS)
        except asyncio.CancelledError:
            return  # the server stops at once; the answer has begun, so that no other can be given
        finally:
            self._source.close()
            self._streams.leave()
            await end_tasks(*tasks)
        if not sending.cancelled():
            sending.result()

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": b"retry: 1000\n\n", "more_body": True})
        async for part in self._parts():
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b": the end\n\n"})

    async def _parts(self) -> AsyncIterator[bytes]:
        told = 0
        while True:
            try:
                async with asyncio.timeout(self._streams.heartbeat_seconds):
                    item = await self._source.__anext__()
            except TimeoutError:
                yield b": nothing new\n\n"
                continue
            except StopAsyncIteration:
                return
            if self._source.dropped > told:
                missed, told = self._source.dropped - told, self._source.dropped
                yield frame("missed", {"events": missed})
            yield frame(*self._name(item))
