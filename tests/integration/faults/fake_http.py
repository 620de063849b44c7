"""An HTTP worker that runs the ledgered program and then answers as it is told. Imports only this harness."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

__all__ = ["FakeHttp", "found", "moved", "server_error", "success", "too_many", "truncated"]

Answer: TypeAlias = Callable[[Any], bytes]
"""Makes an answer to an input."""


def success(value: Any) -> bytes:
    """Run it, and say so."""
    _run(value)
    return _answer("200 OK", json.dumps({"output": value["id"]}))


def server_error(value: Any) -> bytes:
    """Run it, and fail afterwards."""
    _run(value)
    return _answer("500 Internal Server Error", "{}")


def truncated(value: Any) -> bytes:
    """Run it, and cut the answer off."""
    _run(value)
    return _answer("200 OK", json.dumps({"output": value["id"]}))[:-7]


def too_many(value: Any) -> bytes:
    """Refuse it for a while."""
    return _answer("429 Too Many Requests", "{}", "Retry-After: 0.2")


def found(value: Any) -> bytes:
    """Run it, and say that the answer is elsewhere."""
    _run(value)
    return _answer("302 Found", "", "Location: http://127.0.0.1:9/")


def moved(value: Any) -> bytes:
    """Ask for the same request elsewhere."""
    return _answer("307 Temporary Redirect", "", "Location: http://127.0.0.1:9/run")


def _run(value: Any) -> None:
    with Path(value["ledger"]).open("ab", buffering=0) as ledger:
        ledger.write(f"{value['id']} began\n".encode())


def _answer(status: str, body: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", body]
    return "\r\n".join(lines).encode()


class FakeHttp:
    """A server on a free port."""

    def __init__(self) -> None:
        self.answer: Answer = success
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Accept connections."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Accept no more, and let go of what is open."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):  # the host went away
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length:")[2].partition("\r\n")[0] or 0)
            body = await reader.readexactly(length)
            answer = self.answer(json.loads(body)["input"]) if head.startswith("post") else _answer("200 OK", "ready")
            writer.write(answer)
            await writer.drain()
        writer.close()
