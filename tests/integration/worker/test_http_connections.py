"""The HTTP door's connections: limited in number and patience, and encrypted where that is asked for."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2
import pytest

from hotplane.valkyrie import TlsSettings
from hotplane.worker import Worker, WorkerSettings
from tests.integration.valkyrie.conftest import Certificates, certificates

__all__ = ["certificates"]

HEAD = b"POST /run HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def serving(**changed: Any) -> AsyncGenerator[str]:
    """Run a worker in this process, and return the address of its HTTP door."""
    settings = {"listen": "tcp://127.0.0.1:0", "http": "127.0.0.1:0", "programs": ("math",), **changed}
    worker = Worker(WorkerSettings.model_validate(settings))
    await worker.start()
    try:
        yield worker.addresses[1]
    finally:
        await worker.stop(0)


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[Streams]:
    """Open a bare connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    try:
        yield reader, writer
    finally:
        writer.close()


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """Return what still comes until the other side closes, within half a minute."""
    async with asyncio.timeout(30):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


@pytest.mark.parametrize("sent", [b"", b"POST /run HT", b"\r\n"])
async def test_a_connection_on_which_no_head_arrives_is_closed(sent: bytes):
    """Idle from the beginning, stopped in the middle, or sending blank lines."""
    async with serving(http_request_seconds=0.1) as url, connected(url) as (reader, writer):
        writer.write(sent)
        assert await end_of(reader) == b""


async def test_a_second_head_that_does_not_arrive_is_cut_off_too():
    """The clock starts anew with the first byte after an answer."""
    answered = b""
    async with serving(http_request_seconds=0.1) as url:
        while not answered:  # else its first head had come too late
            async with connected(url) as (reader, writer):
                writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
                with suppress(asyncio.IncompleteReadError, ConnectionResetError):
                    answered = await reader.readuntil(b"ok\n")
                    writer.write(b"GET /livez HT")
                    assert await end_of(reader) == b""


async def test_a_body_that_does_not_arrive_is_answered():
    """The client is told, and the connection closed."""
    said = b""
    async with serving(http_request_seconds=0.1) as url:
        while not said:  # a connection whose head comes too late is closed without a word
            async with connected(url) as (reader, writer):
                writer.write(HEAD + b"{")
                said = await end_of(reader)
    assert said.startswith(b"HTTP/1.1 408 ")


async def test_one_connection_too_many_is_closed():
    """Those that are open go on, and when one is given back there is room again."""
    async with serving(max_http_connections=1) as url:
        async with connected(url) as (first, writer):
            writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await first.readuntil(b"ok\n")
            async with connected(url) as (second, _):
                assert await end_of(second) == b""
            writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert (await end_of(first)).endswith(b"ok\n")
        async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
            assert (await client.get("/livez")).status_code == 200


async def test_the_number_of_bodies_on_their_way_is_limited():
    """As many as calls may run: what waits in memory has a bound, too."""
    async with serving(max_concurrency=1) as url, connected(url) as (_, writer):
        writer.write(HEAD + b"{")
        async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30) as client, asyncio.timeout(40):
            while (await client.post("/run", json={"program": "math:sqrt", "input": 4})).status_code != 503:
                pass


async def test_the_door_speaks_https(certificates: Certificates):
    """With a certificate, and only with those clients that trust it."""
    tls = TlsSettings(cert_file=certificates.directory / "server.pem", key_file=certificates.directory / "server.key")
    async with serving(http="https://127.0.0.1:0", tls=tls) as url:
        trusting = ssl.create_default_context(cafile=str(certificates.directory / "ca.pem"))
        async with httpx2.AsyncClient(base_url=url, verify=trusting, trust_env=False, timeout=30) as client:
            assert (await client.post("/run", json={"program": "math:sqrt", "input": 4})).json() == {"output": 2.0}
        async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30) as stranger:
            with pytest.raises(httpx2.ConnectError):
                await stranger.get("/livez")
