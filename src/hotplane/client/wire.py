"""A socket that is read and written at the same time, and never blocks. Imports httpx2 and `exchange`.

One TLS connection must not be used by two threads at once (OpenSSL), so every operation holds a lock, and waiting is
left to whoever uses this. What has been received can be read also when sending has failed: a server that refuses an
upload answers and hangs up.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from enum import Enum
from typing import TypeVar

import httpx2

from hotplane.client.exchange import READ_BYTES, Gone, seconds

__all__ = ["Wanted", "Wire", "connect"]

T = TypeVar("T")


class Wanted(Enum):
    """What has to become possible before an operation is tried again."""

    READING = "reading"
    WRITING = "writing"


class Wire:
    """A connected socket.

    Args:
        connected: The socket; the wire owns it from now on.
    """

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self._socket = connected
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """Return the descriptor to wait for.

        Raises:
            Gone: The wire is closed.
        """
        number = self._socket.fileno()
        if number < 0:
            raise Gone
        return number

    def receive(self) -> bytes | Wanted:
        """Return bytes, none of them at the end.

        Raises:
            OSError: The connection is broken, and everything that came has been read.
        """
        return self._tried(lambda: self._socket.recv(READ_BYTES), Wanted.READING)

    def send(self, data: memoryview) -> int | Wanted:
        """Send some bytes and return how many.

        Raises:
            Gone: Nothing more can be sent.
        """
        try:
            return self._tried(lambda: self._socket.send(data), Wanted.WRITING)
        except OSError:
            raise Gone from None

    def break_off(self) -> None:
        """End both directions; who waits is woken."""
        with contextlib.suppress(OSError):  # it may be gone already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def _tried(self, operate: Callable[[], T], usual: Wanted) -> T | Wanted:
        try:
            with self._lock:
                return operate()
        except ssl.SSLWantReadError:
            return Wanted.READING
        except ssl.SSLWantWriteError:
            return Wanted.WRITING
        except BlockingIOError:
            return usual


def connect(request: httpx2.Request, verify: ssl.SSLContext | bool) -> Wire:
    """Connect to where a request goes; blocks until that is done.

    Raises:
        httpx2.ConnectError, httpx2.ConnectTimeout: It cannot be.
    """
    url = request.url
    host = url.host.strip("[]")
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        connected = socket.create_connection((host, port), seconds(request, "connect"))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if isinstance(verify, ssl.SSLContext) and url.scheme == "https":
            connected = verify.wrap_socket(connected, server_hostname=host)  # closes it where that fails
    except TimeoutError:
        raise httpx2.ConnectTimeout("no connection in time") from None
    except OSError as error:
        raise httpx2.ConnectError(str(error)) from None
    return Wire(connected)
