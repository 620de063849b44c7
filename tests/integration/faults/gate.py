"""A man in the middle between a host and its worker, who can do to the worker's frames what a network can do.

Imports only `valkyrie`'s ground floor. What the host sends goes through unchanged: calls that the host gives up have
run all the same, which is what makes a repetition dangerous.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

from hotplane.valkyrie.frames import HEADER
from hotplane.valkyrie.handshake import Introduction, Refusal, ServerHandshake
from hotplane.valkyrie.messages import Result, decode_message, encode

__all__ = [
    "Gate", "Line", "forward", "garbage", "half_a_frame", "late_and_shuffled", "oversized", "reserve_port",
    "reset_after", "silent", "strange_results", "trickle",
]  # fmt: skip

Tamper: TypeAlias = "Callable[[Line, bytes], Awaitable[None]]"
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends RST."""
_RESULT = b"\x11"


class Line:
    """One connection through the gate, and what has been done to it."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.passed = 0
        self.dead = False
        self.held: list[bytes] = []
        self.count = 0

    def send(self, data: bytes) -> None:
        """Send bytes to the host."""
        if not self.dead and not self.writer.is_closing():
            self.passed += len(data)
            self.writer.write(data)

    def reset(self) -> None:
        """End the connection with RST."""
        self.dead = True
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.writer.transport.abort()


async def forward(line: Line, frame: bytes) -> None:
    """Do nothing to it."""
    line.send(frame)


async def silent(line: Line, frame: bytes) -> None:
    """Let nothing through."""


async def garbage(line: Line, frame: bytes) -> None:
    """Send as many random bytes instead."""
    line.send(os.urandom(len(frame)))


async def half_a_frame(line: Line, frame: bytes) -> None:
    """Send the first half, and nothing ever after."""
    line.send(frame[: len(frame) // 2])
    line.dead = True


async def oversized(line: Line, frame: bytes) -> None:
    """Announce four gigabytes."""
    line.send(b"\xff\xff\xff\xff" + frame[4:])


async def strange_results(line: Line, frame: bytes) -> None:
    """Send a result that nobody waits for ahead of every true one."""
    result = _result(frame)
    if result is not None:
        body = encode(Result(result.id + 1_000_000, b'"of a stranger"'))
        line.send(HEADER.pack(len(body)) + body)
    line.send(frame)


async def late_and_shuffled(line: Line, frame: bytes) -> None:
    """Keep results back and send them in reverse; every tenth comes when an idempotent call has gone elsewhere."""
    if _result(frame) is None:
        line.send(frame)
        return
    line.count += 1
    loop = asyncio.get_running_loop()
    if line.count % 10 == 0:
        loop.call_later(2.0, line.send, frame)
        return
    line.held.append(frame)
    if len(line.held) == 1:
        loop.call_later(0.1, _let_go, line)


def _let_go(line: Line) -> None:
    held, line.held = line.held, []
    for frame in reversed(held):
        line.send(frame)


def reset_after(count: int) -> Tamper:
    """Reset every connection in the midst of the frame that holds its byte number `count`."""

    async def tamper(line: Line, frame: bytes) -> None:
        room = count - line.passed
        if len(frame) < room:
            line.send(frame)
        else:
            line.send(frame[: max(0, room)])
            await asyncio.sleep(0)
            line.reset()

    return tamper


async def trickle(line: Line, frame: bytes) -> None:
    """Send one byte in 100 ms."""
    for byte in frame:
        line.send(bytes((byte,)))
        await asyncio.sleep(0.1)


class Gate:
    """Listens where the host believes its worker to be. It keeps its port while it is closed and opened again."""

    def __init__(self, target: int) -> None:
        self.target = target
        """The worker's port."""
        self.tamper: Tamper = forward
        self.versions: tuple[int, ...] | None = None
        """When set, nobody is let through: a server of these protocol versions answers instead."""
        self.raw = False
        """Whether what goes through is not Valkyrie's frames, such as TLS."""
        self.port = 0
        self._place: socket.socket | None = None
        """Bound, not listening: nobody else gets the port while the gate is closed."""
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Accept connections."""
        if self._place is None:
            self._place, self.port = reserve_port()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def close(self) -> None:
        """Cut every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def end(self) -> None:
        """Close it for good."""
        await self.close()
        if self._place is not None:
            self._place.close()

    def cut(self) -> None:
        """Cut every connection; new ones are accepted."""
        for writer in tuple(self._writers):
            writer.transport.abort()
        for task in tuple(self._tasks):
            task.cancel()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with suppress(OSError, EOFError):  # either side went away, which is what the gate is for
                if self.versions is None:
                    await self._connect_through(reader, writer)
                else:
                    await self._refuse(reader, writer, self.versions)
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _refuse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, versions: tuple[int, ...]
    ) -> None:
        body = (await _frame(reader))[4:]
        try:
            ServerHandshake(Introduction("newer", 65_536, 10, versions=versions)).receive(body)
        except Refusal as refusal:
            writer.write(HEADER.pack(len(refusal.frame)) + refusal.frame)
            await writer.drain()

    async def _connect_through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers.add(forth)
        ways = {
            asyncio.ensure_future(_copy(reader, forth)),
            asyncio.ensure_future(self._answers(back, Line(writer))),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            self._writers.discard(forth)
            forth.transport.abort()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _answers(self, reader: asyncio.StreamReader, line: Line) -> None:
        if self.raw:
            await _copy(reader, line.writer)
            return
        while True:
            await self.tamper(line, await _frame(reader))


def reserve_port() -> tuple[socket.socket, int]:
    """Return a socket that keeps a port from others until it is closed, and the port: who listens may reuse it."""
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind(("127.0.0.1", 0))
    return place, int(place.getsockname()[1])


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    header = await reader.readexactly(4)
    return header + await reader.readexactly(HEADER.unpack(header)[0])


def _result(frame: bytes) -> Result | None:
    """Return the result that a frame holds; its number is the second byte of the body."""
    if frame[5:6] != _RESULT:
        return None
    message = decode_message(frame[4:])
    return message if isinstance(message, Result) else None
