"""A wire with scissors: a TCP relay that cuts connections after a given number of bytes."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import deque

_RESET = struct.pack("ii", 1, 0)
"""Closing a socket that lingers for 0 s resets the connection."""


class Cutter:
    """Relays to a port, with two threads for each connection.

    Args:
        port: Where to.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.connections = 0
        self.cut_answers_after: deque[int] = deque()
        """For each of the next connections, the bytes of the answer that still get through."""
        self.cut_requests_after: deque[int] = deque()
        """The same for the request."""
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="cutter")]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._threads[0].start()

    def stop(self) -> None:
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()
        for each in (self._listener, *self._open):
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was shut down
            while True:
                outer = self._listener.accept()[0]
                self._open.append(outer)
                inner = socket.create_connection(("127.0.0.1", self._target))
                self._open.append(inner)
                self.connections += 1
                up = self.cut_requests_after.popleft() if self.cut_requests_after else None
                down = self.cut_answers_after.popleft() if self.cut_answers_after else None
                for source, target, limit in ((outer, inner, up), (inner, outer, down)):
                    pump = threading.Thread(target=_pump, args=(source, target, limit), name="cutter-pump")
                    self._threads.append(pump)
                    pump.start()


def _pump(source: socket.socket, target: socket.socket, limit: int | None) -> None:
    left = limit
    with contextlib.suppress(OSError):  # the other thread has cut it
        while left != 0 and (data := source.recv(65536)):
            data = data if left is None else data[:left]
            target.sendall(data)
            left = None if left is None else left - len(data)
    for each in (source, target):
        with contextlib.suppress(OSError):
            if left == 0:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            each.shutdown(socket.SHUT_RDWR)
