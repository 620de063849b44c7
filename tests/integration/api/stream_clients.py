"""Clients of streams for the tests: one over a bare socket, which reads while it sends, and a parser of events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple


class Event(NamedTuple):
    """One event of a stream."""

    name: str
    data: Any
    id: str | None


def lines(items: Iterable[object]) -> bytes:
    """Return items as lines."""
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


async def parsed(texts: AsyncIterator[str]) -> AsyncIterator[Event]:
    """Yield the events of some lines; comments and what has no name are left away."""
    fields: dict[str, str] = {}
    async for line in texts:
        name, _, value = line.rstrip("\r\n").partition(": ")
        if not name and "event" in fields:
            yield Event(fields["event"], json.loads(fields["data"]), fields.get("id"))
        fields = {**fields, name: value} if name else {}


class Duplex:
    """One request whose body goes out while its answer comes in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.head = b""
        self.events = parsed(self._lines())

    async def send(self, data: bytes) -> None:
        """Send a part of the body."""
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self.writer.drain()

    def end(self) -> None:
        """End the body."""
        self.writer.write(b"0\r\n\r\n")

    async def begin(self) -> bytes:
        """Return the head of the answer."""
        self.head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 60)
        return self.head

    async def event(self) -> Event:
        """Return the next event that is no progress."""
        async with asyncio.timeout(60):
            while (found := await anext(self.events)).name == "progress":
                continue
            return found

    async def rest(self) -> list[Event]:
        """Return the events until the answer ends."""
        async with asyncio.timeout(60):
            return [event async for event in self.events if event.name != "progress"]

    async def _lines(self) -> AsyncIterator[str]:
        if not self.head:
            await self.begin()
        held = b""
        while size := int(await self.reader.readuntil(b"\n"), 16):
            held += await self.reader.readexactly(size)
            await self.reader.readline()
            *whole, held = held.split(b"\n")
            for line in whole:
                yield line.decode()


@asynccontextmanager
async def streaming(edge: Any, query: str = "task=echo", headers: bytes = b"") -> AsyncGenerator[Duplex]:
    """Begin a stream."""
    reader, writer = await edge.connect()
    writer.write(
        b"POST /api/stream/execute?%b HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n"
        b"transfer-encoding: chunked\r\n%b\r\n" % (query.encode(), headers)
    )
    try:
        yield Duplex(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def following(client: Any, path: str, last: str | None = None) -> AsyncGenerator[AsyncIterator[Event]]:
    """Follow a stream with httpx2."""
    headers = {} if last is None else {"last-event-id": last}
    async with client.stream("GET", path, headers=headers, timeout=60) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield parsed(response.aiter_lines())
