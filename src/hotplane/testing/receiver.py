"""A receiver of webhooks that really listens, on this machine, in a thread of its own.

Imports `builtin.webhooks` for signatures. It needs no event loop, so tests of every sort can use it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, TypeAlias

from hotplane.builtin.webhooks.keys import verifying_key
from hotplane.builtin.webhooks.signing import verify

__all__ = ["Received", "Receiver"]

_MAX_BODY = 16 * 1024 * 1024
_GONE = 410
_Answer: TypeAlias = tuple[int, bytes, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Received:
    """One request that came."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes

    def verify(self, *keys: str, now: float | None = None) -> str:
        """Return the id of the message when its signature (Standard Webhooks 1.0) is right.

        Args:
            keys: ``whsec_…``, ``whpk_…`` or ``whsk_…``; one of them has to fit.
            now: Seconds since 1970; the present by default.

        Raises:
            SignatureRefused: It is not.
        """
        found = [verifying_key(key) for key in keys]
        return verify(found, self.headers, self.body, now=time.time() if now is None else now)


class Receiver:
    """Records what comes, and answers 200 until it is told otherwise; use it in a ``with`` statement.

    What it is told to answer holds until it is told otherwise; what it is told to answer so many `times` comes before.
    """

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self._changed = threading.Condition()
        self._answer: _Answer = (200, b"", {})
        self._first: deque[_Answer] = deque()
        self._delay = 0.0
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """Where it listens, such as ``http://127.0.0.1:40001``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answers(self, status: int, body: str = "", *, times: int = 0, **headers: str) -> None:
        """Answer so from now on, or for so many `times` first; a header's underscores become hyphens."""
        answer = status, body.encode(), {name.replace("_", "-"): value for name, value in headers.items()}
        if times:
            self._first.extend([answer] * times)
        else:
            self._first.clear()
            self._answer = answer

    def is_gone(self) -> None:
        """Answer 410 from now on: no events are wanted any more."""
        self.answers(_GONE)

    def delays(self, seconds: float) -> None:
        """Wait that long before every answer from now on."""
        self._delay = seconds

    def wait(self, count: int = 1, timeout: float = 10.0) -> list[Received]:
        """Return the requests when so many have come; not on an event loop, there is `received` for that.

        Raises:
            TimeoutError: Fewer came in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= count, timeout):
                raise TimeoutError(f"{len(self.requests)} of {count} requests came within {timeout:g} s")
            return list(self.requests)

    async def received(self, count: int = 1, timeout: float = 10.0) -> list[Received]:
        """Return the requests when so many have come; see `wait`."""
        return await asyncio.to_thread(self.wait, count, timeout)

    def take(self, request: Received) -> _Answer:
        """Record a request, in the thread of its connection, and return the answer."""
        with self._changed:
            self.requests.append(request)
            answer = self._first.popleft() if self._first else self._answer
            self._changed.notify_all()
        self._closing.wait(self._delay)
        return answer

    def start(self) -> None:
        """Listen."""
        self._thread.start()

    def close(self) -> None:
        """Listen no more, and let go of whoever still waits."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _handler_for(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def answer(self) -> None:
            size = min(int(self.headers.get("Content-Length") or 0), _MAX_BODY)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Received(self.command, self.path, headers, self.rfile.read(size))
            status, body, written = receiver.take(request)
            try:
                self.send_response(status)
                for name, value in {**written, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # whoever asked has given up, as it may

        do_GET = do_POST = do_PUT = answer  # noqa: N815 - the names that `http.server` looks for

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: what came is in `requests`."""

    return Handler
