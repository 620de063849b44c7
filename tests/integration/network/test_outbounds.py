"""Every plugin's way out: its own exceptions, a common end."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hotplane.network import AddressRefused, NetworkSettings, NoConnection, Outbounds
from hotplane.network.client import OutboundClient
from tests.integration.network.certificates import self_signed

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\neggs"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request."""
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """Give the URL of a server at a loopback address."""
    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    listening.close()


@pytest.fixture
async def outbounds() -> AsyncIterator[Outbounds]:
    """Give the ways out of a host without any network allowed."""
    made = Outbounds(NetworkSettings())
    yield made
    await made.close()


async def test_each_plugin_has_its_own_exceptions(outbounds: Outbounds, url: str) -> None:
    """What the operator wrote for one is nothing to the other."""
    assert (await outbounds.for_plugin("a", {"url": url}).request("GET", url)).status == 200
    with pytest.raises(AddressRefused):
        await outbounds.for_plugin("b", {"url": "http://other.example"}).request("GET", url)


async def test_a_network_that_is_allowed_is_allowed_for_all(url: str) -> None:
    """`network.allow` names no plugin."""
    outbounds = Outbounds(NetworkSettings(allow=("127.0.0.0/8",)))
    assert (await outbounds.for_plugin("a", {}).request("GET", url)).status == 200
    await outbounds.close()


async def test_generations_of_a_plugin_share_a_client(outbounds: Outbounds, url: str) -> None:
    """Reloading costs no connections."""
    assert outbounds.for_plugin("a", {"url": url}) is outbounds.for_plugin("a", {"url": url, "colour": "red"})


async def test_other_servers_need_another_client(outbounds: Outbounds, url: str) -> None:
    """The one before is closed."""
    before = outbounds.for_plugin("a", {"url": url})
    after = outbounds.for_plugin("a", {})
    await asyncio.sleep(0)
    with pytest.raises(NoConnection, match="closed"):
        await before.request("GET", url)
    with pytest.raises(AddressRefused):
        await after.request("GET", url)


async def test_the_end_closes_every_client(outbounds: Outbounds, url: str) -> None:
    """Also those with open connections."""
    client = outbounds.for_plugin("a", {"url": url})
    await client.request("GET", url)
    await outbounds.close()
    with pytest.raises(NoConnection, match="closed"):
        await client.request("GET", url)


async def test_a_derived_client_has_its_own_limits_and_the_same_exceptions(outbounds: Outbounds, url: str) -> None:
    """A runner needs other limits than a handler."""
    settings = NetworkSettings(max_answer_bytes=3).outbound()
    derived = outbounds.for_plugin("a", {"url": url}).derive(settings)
    assert derived.settings is settings
    with pytest.raises(AddressRefused):
        await derived.request("GET", "http://127.0.0.1:1")
    await derived.close()


@pytest.mark.parametrize(("name", "days"), [("localhost", 1), ("localhost", -1), ("other.example", 1)])
async def test_a_broken_certificate_is_refused(outbounds: Outbounds, tmp_path: Path, name: str, days: int) -> None:
    """Signed by nobody, run out, and of another host; the latter two from an authority that is trusted."""
    certificate = self_signed(tmp_path, name, days=days)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    url = f"https://localhost:{listening.sockets[0].getsockname()[1]}"
    client: OutboundClient = outbounds.for_plugin("a", {"url": url})
    if (name, days) != ("localhost", 1):
        client = client.derive(client.settings, tls=ssl.create_default_context(cafile=str(certificate)))
    with pytest.raises(NoConnection, match="not trusted"):
        await client.request("POST", url, body=b"{}")
    await client.close()
    listening.close()
