"""Requests through a real proxy, small as it is."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hotplane.network import (
    AddressRefused,
    GuardedAddresses,
    Lookups,
    NoConnection,
    OutboundClient,
    OutboundSettings,
)
from hotplane.network.settings import NetworkSettings
from tests.integration.network.certificates import self_signed

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\neggs"
PUBLIC = "127.0.0.2"


class Proxy:
    """Sends what it is asked for to one server, whatever the name: a proxy looks names up itself."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.heads: list[bytes] = []
        self.refusal = b""
        self.target = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            self.asked.append(head.partition(b" HTTP/")[0].decode())
            if self.refusal:
                writer.write(self.refusal)
            else:
                await self.carry(head, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def carry(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        if head.startswith(b"CONNECT"):
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            far_writer.write(head)
        await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer))


async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Carry bytes until there are no more."""
    try:
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    finally:
        sink.close()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER)
    await writer.drain()
    writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """Give a proxy before a plain server."""
    made = Proxy()
    target = await asyncio.start_server(answer, "127.0.0.1", 0)
    made.target = target.sockets[0].getsockname()[1]
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield made
    listening.close()
    target.close()


@pytest.fixture
async def through(proxy: Proxy) -> AsyncIterator[Any]:
    """Give a maker of clients behind the proxy, for which `PUBLIC` is public."""
    made: list[OutboundClient] = []

    def make(address: str = PUBLIC, url: str = "", exact: Any = (), **options: Any) -> OutboundClient:
        policy = GuardedAddresses(NetworkSettings(allow=(PUBLIC,)).networks, exact)
        lookups = Lookups(look_up=lambda _: (address,) if address else ())
        made.append(OutboundClient(policy, OutboundSettings(), lookups=lookups, proxy=url or proxy.url, **options))
        return made[-1]

    yield make
    for client in made:
        await client.close()


async def test_a_request_goes_through_the_proxy(proxy: Proxy, through: Any) -> None:
    """Which the operator wrote, so that its private address does not matter."""
    assert (await through().request("GET", "http://name.example/menu")).body == b"eggs"
    assert proxy.asked == ["GET http://name.example/menu"]


async def test_tls_goes_to_the_target_and_not_to_the_proxy(proxy: Proxy, through: Any, tmp_path: Path) -> None:
    """Through a tunnel, in which the target's certificate counts."""
    certificate = self_signed(tmp_path, "name.example")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    target = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    proxy.target = target.sockets[0].getsockname()[1]
    client = through(tls=ssl.create_default_context(cafile=str(certificate)))
    assert (await client.request("GET", "https://name.example/menu")).body == b"eggs"
    assert proxy.asked == ["CONNECT name.example:443"]
    with pytest.raises(NoConnection, match="not trusted"):
        await client.request("GET", "https://other.example/menu")
    target.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_target_with_a_private_address_is_refused_before_the_proxy_hears_of_it(
    proxy: Proxy, through: Any, scheme: str
) -> None:
    """By name and by number."""
    client = through("10.0.0.1")
    for host in ("name.example", "10.0.0.1", "0x7f.1", "[::1]"):
        with pytest.raises(AddressRefused):
            await client.request("GET", f"{scheme}://{host}/")
    assert proxy.asked == []


async def test_the_proxy_itself_is_no_target(proxy: Proxy, through: Any) -> None:
    """Only what goes through it may go to its address."""
    with pytest.raises(AddressRefused):
        await through().request("GET", proxy.url)
    assert proxy.asked == []


async def test_a_target_that_cannot_be_looked_up_is_not_asked(proxy: Proxy, through: Any) -> None:
    """What cannot be checked is not allowed."""
    with pytest.raises(NoConnection, match="looked up"):
        await through("").request("GET", "http://name.example")
    assert proxy.asked == []


async def test_a_target_that_the_operator_wrote_is_not_looked_up(proxy: Proxy, through: Any) -> None:
    """Perhaps only the proxy knows its name."""
    client = through("", exact=[("hooks.internal", 80)])
    assert (await client.request("GET", "http://hooks.internal/")).status == 200
    assert proxy.asked == ["GET http://hooks.internal/"]


async def test_a_proxy_that_refuses_the_tunnel_is_no_connection(proxy: Proxy, through: Any) -> None:
    """Nothing was sent to the target."""
    proxy.refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(NoConnection, match="the proxy answered 403"):
        await through().request("POST", "https://name.example", body=b"{}")


async def test_a_proxy_that_is_down_is_no_connection(through: Any, unused_url: str) -> None:
    """The reason names it, and not its credentials."""
    url = unused_url.replace("//", "//user:hunter2@")
    with pytest.raises(NoConnection, match="the proxy: Connection refused") as refused:
        await through(url=url).request("GET", "http://name.example")
    assert "hunter2" not in str(refused.value)


async def test_credentials_are_for_the_proxy_alone(proxy: Proxy, through: Any) -> None:
    """Basic authentication, as its URL says."""
    client = through(url=proxy.url.replace("//", "//user:hunter2@"))
    await client.request("GET", "http://name.example")
    assert b"Proxy-Authorization: Basic dXNlcjpodW50ZXIy\r\n" in proxy.heads[0]


async def test_plain_sockets_and_derived_clients_go_straight(proxy: Proxy, through: Any) -> None:
    """Mail and workers are not behind the proxy."""
    listening = await asyncio.start_server(answer, PUBLIC, 0)
    port = listening.sockets[0].getsockname()[1]
    connected = await through().connect("mail.example", port)
    connected.close()
    derived = through().derive(OutboundSettings())
    assert (await derived.request("GET", f"http://worker.example:{port}")).status == 200
    assert proxy.asked == []
    await derived.close()
    listening.close()
