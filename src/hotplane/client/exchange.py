"""One HTTP/1.1 exchange whose answer is read while its request is still sent. Imports h11 and httpx2 only.

httpx2 sends a request to its end before it reads the answer; a stream's answer begins, with the stream's id, while
items are still on their way. This is the part without sockets; `duplex_async` and `duplex_sync` bring those.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import h11
import httpx2

__all__ = ["READ_BYTES", "Exchange", "Gone", "Head", "seconds"]

READ_BYTES = 64 * 1024


class Gone(Exception):
    """Nothing more can be sent; the answer may be there all the same."""


class Head(NamedTuple):
    """How an answer begins."""

    status: int
    headers: list[tuple[bytes, bytes]]


class Exchange:
    """The state of one exchange; one thread may send while another one receives.

    Args:
        request: The request; its body is sent in parts as they come.
    """

    def __init__(self, request: httpx2.Request) -> None:
        self._h11 = h11.Connection(h11.CLIENT)
        self._lock = threading.Lock()
        self._request = request

    def begin(self) -> bytes:
        """Return the bytes of the request's head."""
        headers = [(name, value) for name, value in self._request.headers.raw if name.lower() != b"connection"]
        target = self._request.url.raw_path
        head = h11.Request(method=self._request.method, target=target, headers=[*headers, (b"Connection", b"close")])
        return self._sent(head)

    def part(self, data: bytes) -> bytes:
        """Return the bytes of a part of the request's body."""
        return self._sent(h11.Data(data=data))

    def end(self) -> bytes:
        """Return the bytes that end the request."""
        return self._sent(h11.EndOfMessage())

    def receive(self, data: bytes) -> None:
        """Take bytes in; none at all mean that the server has closed the connection.

        Raises:
            httpx2.RemoteProtocolError: They are not HTTP.
        """
        with self._lock:
            try:
                self._h11.receive_data(data)
            except h11.RemoteProtocolError as error:
                raise httpx2.RemoteProtocolError(str(error)) from None

    def head(self) -> Head | None:
        """Return how the answer begins; null when more bytes are needed."""
        while (event := self._next()) is not None:
            if isinstance(event, h11.Response):
                return Head(event.status_code, list(event.headers.raw_items()))
            if not isinstance(event, h11.InformationalResponse):
                raise httpx2.RemoteProtocolError("the server closed the connection without an answer")
        return None

    def body(self) -> bytes | None:
        """Return a part of the answer's body, empty at its end; null when more bytes are needed."""
        event = self._next()
        if event is None:
            return None
        return bytes(event.data) if isinstance(event, h11.Data) else b""

    def _sent(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> bytes:
        with self._lock:
            try:
                return self._h11.send(event) or b""
            except h11.LocalProtocolError:  # the answer has ended the connection
                raise Gone from None

    def _next(self) -> object | None:
        with self._lock:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                raise httpx2.RemoteProtocolError(str(error)) from None
        return None if event is h11.NEED_DATA else event


def seconds(request: httpx2.Request, kind: str) -> float | None:
    """Return a time limit of a request: for ``connect``, ``read`` or ``write``."""
    found: object = request.extensions.get("timeout", {}).get(kind)
    return found if isinstance(found, float | int) else None
