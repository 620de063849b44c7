"""Plain sockets to checked addresses."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from hotplane.network import GuardedAddresses, InvalidAddress, Lookups, NoAnswer, NoConnection, OutboundClient
from hotplane.network.settings import NetworkSettings
from hotplane.network.sockets import open_socket
from tests.loop_clock import put_forward


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Give the port of a server that greets, at 127.0.0.2 alone."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(greet, "127.0.0.2", 0)
    yield listening.sockets[0].getsockname()[1]
    listening.close()


def client(*addresses: str) -> OutboundClient:
    """Return a client that may connect to this machine, at which every name has these addresses."""
    policy = GuardedAddresses(NetworkSettings(allow=("127.0.0.0/8",)).networks)
    return OutboundClient(policy, lookups=Lookups(look_up=lambda _: addresses))


async def test_the_socket_is_connected_and_does_not_block(port: int) -> None:
    """A library for another protocol can take it over."""
    connected = await client("127.0.0.2").connect("mail.example", port)
    with connected:
        assert connected.getblocking() is False
        assert connected.getpeername() == ("127.0.0.2", port)
        assert await asyncio.get_running_loop().sock_recv(connected, 100) == b"220 hello\r\n"


async def test_addresses_are_tried_in_their_order(port: int) -> None:
    """One that refuses is passed over."""
    connected = await client("127.0.0.3", "127.0.0.2").connect("mail.example", port)
    connected.close()


async def test_nobody_listens(port: int) -> None:
    """The reason is the system's, and nothing was sent."""
    with pytest.raises(NoConnection, match="Connection refused") as refused:
        await client("127.0.0.3").connect("mail.example", port)
    assert not refused.value.sent
    assert f"tcp://mail.example:{port}" in str(refused.value)


@pytest.fixture
def full() -> Iterator[int]:
    """Give a port at 127.0.0.4 that neither accepts nor refuses: its queue is full."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.4", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]
        for each in waiting:
            each.close()


async def test_a_silent_address_costs_the_time_and_no_more(full: int) -> None:
    """The error says how long it was waited."""
    with pytest.raises(NoAnswer, match=r"0\.1 s"):
        await client("127.0.0.4").connect("mail.example", full, timeout=0.1)


async def test_a_silent_address_leaves_time_for_the_next(full: int) -> None:
    """Each has its part."""
    listening = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.5", full)
    connecting = asyncio.create_task(open_socket(["127.0.0.4", "127.0.0.5"], full, 3600.0))
    await asyncio.sleep(0)
    put_forward(1800.0)
    with await asyncio.wait_for(connecting, 30) as connected:
        assert connected.getpeername()[0] == "127.0.0.5"
    listening.close()


async def test_a_caller_who_leaves_leaves_no_socket(full: int) -> None:
    """Its warning would fail this test."""
    connecting = asyncio.create_task(client("127.0.0.4").connect("mail.example", full))
    await asyncio.sleep(0.05)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting


@pytest.mark.parametrize(
    ("host", "port"), [("", 25), ("a b", 25), ("a/b", 25), ("a\r\nb", 25), ("a", 0), ("a", 70_000)]
)
async def test_what_is_no_address_is_refused(host: str, port: int) -> None:
    """Before anything is looked up."""
    with pytest.raises(InvalidAddress):
        await client("127.0.0.2").connect(host, port)


async def test_a_closed_client_connects_no_more(port: int) -> None:
    """Neither way."""
    closed = client("127.0.0.2")
    await closed.close()
    with pytest.raises(NoConnection, match="closed"):
        await closed.connect("mail.example", port)
