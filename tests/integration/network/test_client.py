"""The outbound client beside real sockets that misbehave."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from hotplane.network import (
    AddressRefused,
    AllowedOrigins,
    AnswerLost,
    AnswerTooLarge,
    NoAnswer,
    NoConnection,
    OutboundClient,
    OutboundSettings,
)
from tests.integration.network.conftest import unanswered

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"100\r\n" + b"x" * 256 + b"\r\n") * 5
Script = bytes | Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Answers every connection's first request with a script's bytes and closes it."""

    def __init__(self) -> None:
        self.script: Script = b""
        self.requests: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            if isinstance(self.script, bytes):
                writer.write(self.script)
            else:
                await self.script(reader, writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Any]:
    """Give a server on a free port, with its URL and a client that may ask it."""
    made: Any = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    made.client = OutboundClient(
        AllowedOrigins([made.url]), OutboundSettings(max_answer_bytes=1_000, max_header_bytes=2_000)
    )
    yield made
    await made.client.close()
    listening.close()


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return an answer with these headers, and the length of its body."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def test_a_plain_answer(server: Any) -> None:
    """Status, headers and body come as they are sent."""
    server.script = http(b"eggs", "X-Tin: 7", status="418 Teapot")
    answer = await server.client.request("GET", server.url + "/menu")
    assert (answer.status, answer.headers["x-tin"], answer.body) == (418, "7", b"eggs")
    assert server.requests[0].startswith(b"GET /menu HTTP/1.1\r\n")


async def test_a_packed_answer_is_unpacked(server: Any) -> None:
    """The coding `gzip` is asked for, and understood."""
    server.script = http(gzip.compress(b"eggs" * 100), "Content-Encoding: gzip")
    assert (await server.client.request("GET", server.url)).body == b"eggs" * 100
    assert b"Accept-Encoding: gzip\r\n" in server.requests[0]


@pytest.mark.parametrize(
    "script",
    [
        http(b"x" * 1_001),
        CHUNKED,
        CHUNKED + b"0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 5_000,
        http(gzip.compress(b"\0" * 1_000_000), "Content-Encoding: gzip"),
        http(gzip.compress(b"\0" * 50_000_000)[:900], "Content-Encoding: gzip"),
    ],
    ids=["announced", "chunked", "chunked-at-once", "until-closed", "bomb", "cut-off-bomb"],
)
async def test_a_long_answer_stops_at_the_limit(server: Any, script: bytes) -> None:
    """However it is framed or packed."""
    server.script = script
    with pytest.raises(AnswerTooLarge):
        await server.client.request("GET", server.url)


@pytest.mark.parametrize(
    "script",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        http(b"eggs", "X-Long: " + "x" * 3_000),
        http(b"not packed", "Content-Encoding: gzip"),
        http(gzip.compress(b"eggs")[:-3], "Content-Encoding: gzip"),
        http(gzip.compress(b"eggs") + b"more", "Content-Encoding: gzip"),
        http(zlib.compress(b"eggs"), "Content-Encoding: deflate"),
    ],
    ids=["nothing", "half", "half-chunk", "ssh", "tls", "header", "no-gzip", "half-gzip", "gzip-and-more", "deflate"],
)
async def test_an_answer_that_cannot_be_used(server: Any, script: bytes) -> None:
    """It was sent, so nobody knows what the other side did with it."""
    server.script = script
    with pytest.raises(AnswerLost) as lost:
        await server.client.request("POST", server.url, body=b"{}")
    assert lost.value.sent


async def test_redirects_are_not_followed(server: Any) -> None:
    """The caller sees the redirect itself."""
    server.script = http(b"", f"Location: {server.url}/elsewhere", status="302 Found")
    assert (await server.client.request("GET", server.url)).status == 302
    assert len(server.requests) == 1


async def test_a_silent_server_costs_the_timeout_and_no_more(server: Any) -> None:
    """The request was out, and the error says so."""

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    server.script = wait
    assert (await unanswered(server.client, "POST", server.url, 0.05)).sent


async def test_only_what_was_read_to_its_end_leaves_a_connection(server: Any) -> None:
    """The next request has the same one then, and another one after an answer that was given up."""
    answers = iter((http(b"eggs"), http(b"x" * 1_001)[:-1], http(b"spam")))
    connections: list[int] = []

    async def several(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            connections.append(writer.get_extra_info("peername")[1])
            writer.write(next(answers))
            await reader.readuntil(b"\r\n\r\n")

    server.script = several
    assert (await server.client.request("GET", server.url)).body == b"eggs"
    with pytest.raises(AnswerTooLarge):
        await server.client.request("GET", server.url)
    assert (await server.client.request("GET", server.url)).body == b"spam"
    assert connections[0] == connections[1] != connections[2]


async def test_a_slow_body_costs_the_timeout_and_no_more(server: Any) -> None:
    """Bytes that trickle in do not prolong it."""

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    server.script = trickle
    with pytest.raises(NoAnswer):
        await server.client.request("GET", server.url, timeout=0.1)


async def test_nobody_listens(unused_url: str) -> None:
    """Nothing was sent, and the error says so."""
    client = OutboundClient(AllowedOrigins([unused_url]))
    with pytest.raises(NoConnection, match="Connection refused") as refused:
        await client.request("POST", unused_url, body=b"{}")
    assert not refused.value.sent
    await client.close()


async def test_a_name_that_does_not_exist() -> None:
    """A failed lookup is a failed connection."""
    url = "http://worker.invalid"
    client = OutboundClient(AllowedOrigins([url]))
    with pytest.raises(NoConnection, match="looked up"):
        await client.request("GET", url)
    await client.close()


async def test_waiting_for_a_free_connection_is_not_sending(server: Any) -> None:
    """A request that found the pool full until its time was over never left."""
    client = OutboundClient(AllowedOrigins([server.url]), OutboundSettings(max_connections=1))
    arrived = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await reader.read()

    server.script = wait
    first = asyncio.create_task(client.request("POST", server.url))
    await arrived.wait()
    with pytest.raises(NoAnswer) as waited:
        await client.request("POST", server.url, timeout=0.05)
    assert not waited.value.sent
    first.cancel()
    await asyncio.wait({first})
    await client.close()


async def test_other_servers_are_refused(server: Any) -> None:
    """Nothing is looked up or connected to."""
    with pytest.raises(AddressRefused):
        await server.client.request("GET", "http://169.254.169.254/latest")
    assert server.requests == []


async def test_a_policy_sees_where_a_name_leads(server: Any) -> None:
    """An address that it refuses is not connected to, by name or by number."""

    class Wary(AllowedOrigins):
        def check_address(self, host: str, port: int, address: str) -> None:
            raise AddressRefused(f"{host}:{port}", f"it is at {address}")

    port = server.url.rpartition(":")[2]
    for url in (server.url, f"http://localhost:{port}"):
        client = OutboundClient(Wary([url]))
        with pytest.raises(AddressRefused):
            await client.request("GET", url)
        await client.close()
    assert server.requests == []


async def test_no_secret_gets_into_an_error(unused_url: str) -> None:
    """Neither userinfo nor path nor query is repeated."""
    url = unused_url.replace("//", "//user:hunter2@") + "/hunter2?token=hunter2"
    client = OutboundClient(AllowedOrigins([url]))
    with pytest.raises(NoConnection) as failed:
        await client.request("GET", url)
    assert "hunter2" not in str(failed.value)
    assert failed.value.__suppress_context__
    await client.close()


async def test_no_proxy_unless_told(server: Any, monkeypatch: pytest.MonkeyPatch, unused_url: str) -> None:
    """The environment does not decide where requests go."""
    monkeypatch.setenv("HTTP_PROXY", unused_url)
    monkeypatch.setenv("http_proxy", unused_url)
    server.script = http(b"eggs")
    assert (await server.client.request("GET", server.url)).body == b"eggs"


async def test_a_closed_client_refuses(server: Any) -> None:
    """It does not open a pool again behind the owner's back."""
    await server.client.close()
    with pytest.raises(NoConnection):
        await server.client.request("GET", server.url)
