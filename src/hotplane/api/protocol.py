"""One HTTP connection: uvicorn's, with the limits that it does not have.

Imports only `exchange`, `problems` and `refusals`.

The parser keeps a head of any size and waits for a body for ever. Here a head that grows beyond its limit is
refused, and `Connection.expire`, which the server calls every second, ends connections whose request does not get
complete. There is no timer for each request: that would cost on the hot path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

import msgspec
from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from hotplane.api.exchange import CONNECTION, Exchange
from hotplane.api.problems import MEDIA_TYPE, document_of, headers_of
from hotplane.api.refusals import HeaderRefused, HeadersTooLarge, Refused, RequestTooSlow, UploadStalled
from hotplane.errors import HotplaneError, Overloaded

__all__ = ["Connection", "ConnectionLimits"]

_LINGER_SECONDS = 1.0
"""What a client gets to read an answer that came before it had sent everything."""
_UPLOAD_LINGER_SECONDS = 30.0
"""The same at most, as long as it sends: many a client sends everything before it looks for an answer."""
_PLAIN = re.compile(rb"/[A-Za-z0-9._~/-]*").fullmatch
"""Paths that stand for themselves: no query, nothing quoted."""


class ConnectionLimits(Struct, frozen=True, kw_only=True):
    """What one connection may take."""

    head_bytes: int = 32_768
    """Size of a request's line and headers, in bytes."""
    request_seconds: float = 30.0
    """Time for a request to arrive completely, from its first byte, or from the connection's beginning."""
    upload_idle_seconds: float = 60.0
    """The same for an upload, whose length nobody knows: from one part of its body to the next."""
    connections: int = 1000
    """Connections that may be open at once."""


class Connection(HttpToolsProtocol):
    """A connection of the server."""

    limits = ConnectionLimits()
    """Set on a subclass by the server."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._application: Any = arguments["config"].loaded_app
        self._awaited_since: float | None = None
        """When the client began to owe the rest of a request; None while it owes nothing."""
        self._idle_since = 0.0
        """When the latest answer was complete; it says nothing while a request is awaited or answered."""
        self._head_bytes = 0
        self._in_head = False
        self._refused = False
        self._uploading = False
        self._heard = False
        """Whether the client has sent something lately although nobody listens any more."""

    def connection_made(self, transport: Any) -> None:
        """Begin, unless there are too many."""
        super().connection_made(transport)
        self._awaited_since = self.loop.time()
        if len(self.connections) > self.limits.connections:
            self._refuse(Overloaded("The server", self.limits.connections, "server.max_connections"))
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and count what belongs to an unfinished head."""
        if self._refused or self.transport.is_closing():
            self._heard = True
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > self.limits.head_bytes and not self._refused:
            self._refuse(HeadersTooLarge(self.limits.head_bytes))
        if not self._in_head:
            self._head_bytes = 0
            if self._awaited_since is None and not self.busy:
                # Blank lines between requests: they stop uvicorn's clock for idle connections, so start ours.
                self._awaited_since = self.loop.time()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._in_head = True
        self._uploading = False
        self._awaited_since = self.loop.time()

    def on_headers_complete(self) -> None:
        """Hand the request to the application, unless its head is too large."""
        self._in_head = False
        # What came in one piece that is smaller than the limit cannot hold a head that is larger.
        if self._head_bytes > self.limits.head_bytes and self._measured() > self.limits.head_bytes:
            self._in_head = True  # it is still the head's fault: see `send_400_response`
            raise HeadersTooLarge(self.limits.head_bytes)
        parser: Any = self.parser
        if _PLAIN(self.url) is not None and parser.get_http_version() == "1.1" and not parser.should_upgrade():
            self._begin()
        else:
            super().on_headers_complete()
            cast("dict[str, object]", self.scope)["extensions"] = {CONNECTION: self}

    def expect_upload(self, scope: Mapping[str, object]) -> None:
        """Let the body of a request take as long as it keeps coming, and let its client read an early answer."""
        if self._serves(scope):
            self._uploading = True
            self.cycle.transport = cast("Any", _Lingering(self))

    def cut(self, scope: Mapping[str, object]) -> None:
        """Break an answer off where it is, so that its client sees that it did not get the whole of it."""
        if self._serves(scope):
            self.cycle.disconnected = True
            self.transport.abort()

    def _serves(self, scope: Mapping[str, object]) -> bool:
        """Return whether this is the request, or a copy of its scope, that the connection is at."""
        return cast("Mapping[str, object]", self.cycle.scope)["state"] is scope["state"]

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for it; `expire` ends a wait that is too long."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle_since = self.loop.time()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        if self._uploading:
            self._awaited_since = self.loop.time()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the client owes nothing more."""
        self._awaited_since = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Refuse what is not HTTP; uvicorn calls it when the parser or one of the methods above raises."""
        if self._in_head and self._head_bytes > self.limits.head_bytes:
            self._refuse(HeadersTooLarge(self.limits.head_bytes))
        else:
            self._refuse(HeaderRefused("it is not HTTP/1.1"))

    def expire(self, at: float) -> None:
        """End the connection when, at the time `at` of the loop's clock, it is idle or its request takes too long."""
        since = self._awaited_since
        if self._refused or self.transport.is_closing():
            return
        if since is None:
            if not self.busy and at - self._idle_since > self.timeout_keep_alive:
                self.transport.close()
        elif self._uploading and self.flow.read_paused:
            self._awaited_since = at  # it is we who keep the client waiting
        elif at - since > (limit := self._limit):
            if self._answered:
                self.transport.close()
            else:
                self._refuse(UploadStalled(limit) if self._uploading else RequestTooSlow(limit))

    def linger(self) -> None:
        """Close, once the client has had a moment to read the answer if it is still sending.

        What it sends is read and dropped meanwhile: closing at once would reset the connection, and the client would
        lose the answer.
        """
        owed = self._awaited_since is not None or self._refused
        self._awaited_since = None
        if self.transport.is_closing():
            return
        if not owed:
            self.transport.close()
            return
        self._refused = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        longest = _UPLOAD_LINGER_SECONDS if self._uploading else _LINGER_SECONDS
        self._hang_up(self.loop.time() + longest)

    def _hang_up(self, ends_at: float) -> None:
        """Close when the client has been silent for a moment, and at that time of the loop's clock at last."""
        if self.transport.is_closing():
            return
        if self.loop.time() >= ends_at:
            self.transport.close()
            return
        self._heard = False
        self.loop.call_later(_LINGER_SECONDS, self._look_again, ends_at)

    def _look_again(self, ends_at: float) -> None:
        self._hang_up(ends_at if self._heard else 0.0)

    @property
    def _limit(self) -> float:
        return self.limits.upload_idle_seconds if self._uploading else self.limits.request_seconds

    @property
    def _answered(self) -> bool:
        """Whether the request was answered before its body had come."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return not self._in_head and cycle is not None and cycle.response_complete and cycle.more_body

    @property
    def busy(self) -> bool:
        """Whether a request of this connection is being answered."""
        cycle: Any = self.cycle  # uvicorn declares that there always is one, and begins with None
        return cycle is not None and not cycle.response_complete

    def _begin(self) -> None:
        """Begin the exchange of a request for a plain path, which need not be parsed."""
        parser: Any = self.parser
        scope: Any = self.scope
        scope["method"] = parser.get_method().decode("ascii")
        scope["path"], scope["raw_path"], scope["query_string"] = self.url.decode("ascii"), self.url, b""
        waits = self.busy
        exchange = self.cycle = Exchange(self, scope, keep_alive=parser.should_keep_alive())
        if waits:
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, self._application))
        else:
            exchange.start(self.loop, self._application)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if isinstance(cycle, Exchange):
            cycle.start(self.loop, app)
        else:
            super()._start_asgi_task(cycle, app)

    def _measured(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _refuse(self, error: HotplaneError) -> None:
        """Answer without the application, and close; where an answer has begun, only close."""
        self._refused = True
        if not self.busy or not self.cycle.response_started:
            self.transport.write(_raw_answer(error))
        if self.busy:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.linger()


class _Lingering:
    """The transport as the answer to an upload has it: closing it waits for the client's eyes."""

    def __init__(self, connection: Connection) -> None:
        self.write = connection.transport.write
        self.is_closing = connection.transport.is_closing
        self.close = connection.linger


def _raw_answer(error: HotplaneError) -> bytes:
    problem = document_of(error)
    body = msgspec.json.encode(problem)
    head = [f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}".encode()]
    fields = headers_of(error) if not isinstance(error, Refused) else error.headers
    head += [name + b": " + value for name, value in fields]
    head += [f"content-type: {MEDIA_TYPE}".encode(), f"content-length: {len(body)}".encode(), b"connection: close"]
    return b"\r\n".join((*head, b"", body))
