"""Answers that go on until source, client or server ends them. Imports `streams`, `exchange`, `leaving` and lower."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any

from starlette.responses import Response

from hotplane.api.bodies import Receive
from hotplane.api.door import Scope, Send
from hotplane.api.exchange import CONNECTION
from hotplane.api.leaving import disconnected, end_tasks
from hotplane.api.streams import Streams
from hotplane.errors import HotplaneError
from hotplane.log import get_logger

__all__ = ["EVENT_STREAM", "Unending"]

EVENT_STREAM = "text/event-stream"
_log = get_logger(room="api")


class Unending(Response):
    """An answer in parts.

    A client that reads slowly is waited for by this answer alone. When its source fails, or the server stops, the
    answer is cut off, so that nobody takes it for whole; whoever reads it has a cursor to go on from.

    Args:
        parts: The body.
        streams: The server's: it counts, and says when the server stops.
        media_type: What the parts are.
        headers: Further headers.
    """

    def __init__(
        self,
        parts: AsyncIterator[bytes],
        streams: Streams,
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        # nginx would keep parts back until its buffer is full.
        fields = {"cache-control": "no-store", "x-accel-buffering": "no", **(headers or {})}
        super().__init__(None, 200, fields, media_type)
        del self.headers["content-length"]
        streams.enter()
        self._parts = parts
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        try:
            await self._serve(scope, receive, send)
        except asyncio.CancelledError:
            self._break_off(scope, None)  # the server stops at once; the answer has begun, and no other can be given
        finally:
            self._streams.leave()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._send_until(disconnected(receive), scope, send)

    async def _send_until(self, left: Awaitable[object], scope: Scope, send: Send) -> bool:
        """Send everything, unless the client leaves or the server stops first; return whether all was sent."""
        sending = asyncio.create_task(self._send_all(send), name="hotplane-answer")
        leaving = asyncio.ensure_future(left)
        closing = asyncio.create_task(self._streams.closing.wait())
        tasks: tuple[asyncio.Future[Any], ...] = (sending, leaving, closing)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_tasks(*tasks)
        if not sending.cancelled() and sending.exception() is None:
            return True
        self._break_off(scope, None if sending.cancelled() else sending.exception())
        return False

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for part in self._parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _break_off(self, scope: Scope, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, HotplaneError):
            _log.error("api.answer-failed", path=scope["path"], exc_info=error)
        elif error is not None:
            _log.warning("api.answer-cut-off", path=scope["path"], why=str(error))
        connection = scope.get("extensions", {}).get(CONNECTION)
        if connection is not None:
            connection.cut(scope)
