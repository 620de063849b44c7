"""Accepting TLS clients where the system, or the door, takes no more."""

import asyncio
import socket
import ssl

import pytest

from hotplane.log import capture_logs
from hotplane.valkyrie import ClientSettings, acceptor
from hotplane.valkyrie.acceptor import TlsAcceptor
from hotplane.valkyrie.link import Link


class Door:
    """Turns everybody away, at once or when their handshake has failed."""

    def __init__(self, *, at_once: bool) -> None:
        self.at_once = at_once
        self.lost_reasons: list[str] = []
        self.met = asyncio.Event()
        self.done = asyncio.Event()

    def opened(self, link: Link) -> None:
        self.met.set()
        if self.at_once:
            link.closing = True
            self.done.set()

    def first_bytes(self, data: bytes) -> None: ...
    def received(self, bodies: list[memoryview]) -> None: ...
    def writable(self, yes: bool) -> None: ...

    def lost(self, reason: str) -> None:
        self.lost_reasons.append(reason)
        self.done.set()


def listening() -> socket.socket:
    """Return a listening socket."""
    made = socket.create_server(("127.0.0.1", 0))
    made.setblocking(False)
    return made


def accepting(sock: socket.socket, door: Door) -> TlsAcceptor:
    """Accept at a socket."""
    loop = asyncio.get_running_loop()

    def make() -> Link:
        return Link(loop, door, ClientSettings(), 1000)

    return TlsAcceptor(sock, make, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), 30.0)


async def test_a_system_without_descriptors_is_asked_again(monkeypatch: pytest.MonkeyPatch):
    """The next connection is taken after a pause, and the log says what was wrong."""
    monkeypatch.setattr(acceptor, "_PAUSE_SECONDS", 0.01)
    loop, failures = asyncio.get_running_loop(), [OSError(24, "Too many open files")]
    accept = loop.sock_accept

    async def limited(sock: socket.socket) -> tuple[socket.socket, object]:
        if failures:
            raise failures.pop()
        return await accept(sock)

    monkeypatch.setattr(loop, "sock_accept", limited)
    sock, door = listening(), Door(at_once=True)
    with capture_logs() as logs:
        made = accepting(sock, door)
        with socket.create_connection(sock.getsockname()) as client:
            async with asyncio.timeout(20):
                await door.done.wait()
                client.setblocking(False)
                assert await loop.sock_recv(client, 1) == b""
    made.close()
    await asyncio.sleep(0)
    assert [(entry["event"], entry["reason"]) for entry in logs] == [("valkyrie_accept_failed", "Too many open files")]


async def test_a_client_that_resets_in_its_handshake_is_forgotten():
    """It counted from its first moment, so it has to be counted out."""
    sock, door = listening(), Door(at_once=False)
    made = accepting(sock, door)
    client = socket.create_connection(sock.getsockname())
    async with asyncio.timeout(20):
        await door.met.wait()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        await door.done.wait()
    made.close()
    await asyncio.sleep(0)
    assert len(door.lost_reasons) == 1
