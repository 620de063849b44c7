"""A wire with scissors: a TCP relay that cuts connections after a given number of bytes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque


class Cutter:
    """Relays to a port, in a thread of its own.

    Args:
        port: Where to.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self.port = 0
        self.connections = 0
        self.cut_answers_after: deque[int] = deque()
        """For each of the next connections, the bytes of the answer that still get through."""
        self.cut_requests_after: deque[int] = deque()
        """The same for the request."""
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="cutter")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()
        assert self._up.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._up.set()
        await self._end.wait()
        server.close()
        relays = asyncio.all_tasks() - {asyncio.current_task()}
        for each in relays:
            each.cancel()
        await asyncio.gather(*relays, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        down = self.cut_answers_after.popleft() if self.cut_answers_after else None
        up = self.cut_requests_after.popleft() if self.cut_requests_after else None
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target)
        tasks = [
            asyncio.create_task(_pump(reader, inner_writer, up)),
            asyncio.create_task(_pump(inner_reader, writer, down)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in tasks:
                each.cancel()
        for each in (writer, inner_writer):
            each.transport.abort()
            with contextlib.suppress(OSError):
                await each.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None) -> None:
    left = limit
    with contextlib.suppress(OSError):  # the other side has gone
        while (data := await reader.read(65536)) and left != 0:
            data = data if left is None else data[:left]
            writer.write(data)
            await writer.drain()
            left = None if left is None else left - len(data)
            if left == 0:
                return
