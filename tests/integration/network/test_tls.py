"""The outbound client and certificates."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hotplane.network import AllowedOrigins, NoConnection, OutboundClient, OutboundFailed

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\neggs"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a file with a key and a certificate for localhost that nobody but itself signed."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed")
    file = tmp_path_factory.mktemp("certificates") / "both.pem"
    arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost"
    extension = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(file), "-out", str(file)]
    made = subprocess.run(["openssl", *arguments.split(), *extension], check=True, capture_output=True)
    assert made.returncode == 0
    return file


@pytest.fixture
async def url(certificate: Path) -> AsyncIterator[str]:
    """Give the URL of a server with that certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield f"https://localhost:{listening.sockets[0].getsockname()[1]}"
    listening.close()


async def test_a_certificate_that_nobody_vouches_for_is_refused(url: str) -> None:
    """The handshake fails before anything is sent."""
    client = OutboundClient(AllowedOrigins([url]))
    with pytest.raises(NoConnection, match="not trusted"):
        await client.request("POST", url, body=b"{}")
    await client.close()


async def test_a_private_authority_can_be_trusted(url: str, certificate: Path) -> None:
    """The operator says which."""
    client = OutboundClient(AllowedOrigins([url]), tls=ssl.create_default_context(cafile=str(certificate)))
    assert (await client.request("GET", url)).body == b"eggs"
    await client.close()


async def test_plain_http_where_tls_is_spoken_is_no_answer(url: str) -> None:
    """Asking for the wrong scheme ends in an error, not in a hang."""
    plain = url.replace("https", "http")
    client = OutboundClient(AllowedOrigins([plain]))
    with pytest.raises(OutboundFailed):
        await client.request("GET", plain, timeout=2.0)
    await client.close()
