"""One request and its answer: uvicorn's cycle, begun and ended with less. Imports nothing of Hotplane.

An exchange behaves as uvicorn's does. It costs less because most requests arrive whole before anybody reads them,
and most answers are whole when they are sent.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

__all__ = ["ANSWER", "CONNECTION", "Exchange"]

ANSWER = "hotplane.answer"
"""The extension of the ASGI scope under which a route finds `Exchange.answer`."""
CONNECTION = "hotplane.connection"
"""The extension under which a route finds the connection itself."""

_OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n"


class Exchange(RequestResponseCycle):
    """One request and its answer.

    Args:
        connection: Where it takes place.
        scope: The request's ASGI scope.
        keep_alive: Whether another request may follow.
    """

    # What is the same at the beginning of every exchange stands in the class; uvicorn sets it on every instance.
    access_log = False
    disconnected = False
    more_body = True
    response_started = False
    response_complete = False
    chunked_encoding = None
    expected_content_length = 0

    def __init__(self, connection: HttpToolsProtocol, scope: Any, *, keep_alive: bool) -> None:
        scope["extensions"] = {ANSWER: self.answer, CONNECTION: connection}
        self.scope = scope
        self.transport = connection.transport
        self.flow = connection.flow
        self.logger = connection.logger
        self.default_headers = connection.server_state.default_headers
        self.message_event = asyncio.Event()
        self.on_response = connection.on_response_complete
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = connection.expect_100_continue
        self.body: Any = b""
        self._tasks = connection.tasks
        self._task: asyncio.Task[None] | None = None

    def start(self, loop: asyncio.AbstractEventLoop, app: Any) -> None:
        """Have the application serve the request, in a task."""
        self._task = task = loop.create_task(self._serve(app))
        self._tasks.add(task)

    async def receive(self) -> Any:
        """Return the next ASGI message of the request: its body, as far as it has arrived."""
        if self.more_body or not self.body or self.disconnected or self.response_complete:
            return await super().receive()
        body, self.body = self.body, b""
        self.message_event.clear()
        self.flow.resume_reading()
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    def answer(self, body: bytes) -> bool:
        """Send a whole answer, status 200 and JSON, in one write; return False where `send` has to be used.

        uvicorn writes head and body apart, and a write costs more than all else it does for an answer.
        """
        if self.response_started or self.disconnected or self.flow.write_paused or not self.keep_alive:
            return False
        defaults = b"".join([b"%b: %b\r\n" % header for header in self.default_headers])
        self.transport.write(_OK % (defaults, len(body)) + body)
        self.response_started = self.response_complete = True
        self.message_event.set()
        self.on_response()
        return True

    async def _serve(self, app: Any) -> None:
        try:
            await self.run_asgi(app)
        finally:
            # Undo the rings, which would else be the garbage collector's: it took a tenth of the time of a busy server.
            self._tasks.discard(self._task)
            self._task = None
            self.scope.pop("extensions", None)
