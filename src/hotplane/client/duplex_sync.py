"""A transport for httpx2's Client that reads the answer while a thread sends. Imports httpx2 and its own room."""

from __future__ import annotations

import select
import ssl
import threading
import time
from collections.abc import Iterable, Iterator

import httpx2

from hotplane.client.exchange import Exchange, Gone, Head, seconds
from hotplane.client.wire import Wanted, Wire, connect

__all__ = ["DuplexTransport"]

_JOIN_SECONDS = 1.0
"""How long a thread that sends is waited for; one that hangs in the program's own items is left to itself."""


class DuplexTransport(httpx2.BaseTransport):
    """Every request has a connection of its own, which ends with the answer.

    Args:
        verify: How certificates are checked.
    """

    def __init__(self, verify: ssl.SSLContext | bool) -> None:
        self._verify = verify

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Begin to send the request in a thread, and return as soon as the answer begins."""
        running = _Running(request, connect(request, self._verify))
        try:
            head = running.head()
        except BaseException:
            running.close()
            raise
        return httpx2.Response(head.status, headers=head.headers, stream=running, request=request)


class _Running(httpx2.SyncByteStream):
    """An exchange under way; iterating gives the answer's body."""

    def __init__(self, request: httpx2.Request, wire: Wire) -> None:
        self._wire = wire
        self._silence = seconds(request, "read")
        self._exchange = Exchange(request)
        self._source: Exception | None = None
        self._upload = threading.Thread(target=self._send, args=(request,), name="hotplane-client-upload", daemon=True)
        self._upload.start()

    def head(self) -> Head:
        while (head := self._exchange.head()) is None:
            self._receive()
        return head

    def __iter__(self) -> Iterator[bytes]:
        while True:
            part = self._exchange.body()
            if part is None:
                self._receive()
            elif part:
                yield part
            else:
                return

    def close(self) -> None:
        self._wire.break_off()
        self._upload.join(_JOIN_SECONDS)
        self._wire.close()

    def _send(self, request: httpx2.Request) -> None:
        """Send the request; what goes wrong shows when the answer is read, which may be there all the same."""
        assert isinstance(request.stream, Iterable)  # noqa: S101 - which kind a request has follows from its client
        try:
            self._write(self._exchange.begin())
            for part in request.stream:
                self._write(self._exchange.part(part))
            self._write(self._exchange.end())
        except Gone:
            return
        except Exception as error:  # the program's own items
            self._source = error
            self._wire.break_off()

    def _write(self, data: bytes) -> None:
        """Send all of it, however long that takes: the server holds back who sends too fast."""
        view = memoryview(data)
        while view:
            sent = self._wire.send(view)
            if isinstance(sent, Wanted):
                self._wait(sent, None)
            else:
                view = view[sent:]

    def _receive(self) -> None:
        ends_at = None if self._silence is None else time.monotonic() + self._silence
        try:
            while isinstance(data := self._wire.receive(), Wanted):
                self._wait(data, ends_at)
        except TimeoutError:
            raise httpx2.ReadTimeout("nothing came for too long") from None
        except (OSError, Gone) as error:
            raise self._source or httpx2.ReadError(str(error) or "the connection broke") from None
        if self._source is not None:
            raise self._source
        self._exchange.receive(data)

    def _wait(self, wanted: Wanted, ends_at: float | None) -> None:
        left = None if ends_at is None else max(0.0, ends_at - time.monotonic()) * 1000
        poll = select.poll()  # `select` would fail for descriptors from 1024 on
        poll.register(self._wire.fileno(), select.POLLIN if wanted is Wanted.READING else select.POLLOUT)
        if not poll.poll(left):
            raise TimeoutError
