"""Peers that misbehave on purpose, certificates, and both event loops."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop

from hotplane.valkyrie import Call, ClientSettings, Connection, Server, ServerSettings, connect, serve
from hotplane.valkyrie.frames import HEADER
from hotplane.valkyrie.handshake import ClientHandshake, Introduction, ServerHandshake
from hotplane.valkyrie.messages import Message, decode_message, encode

LIMIT = 1_000_000
LONG = 30
"""Seconds that whatever has to succeed may take, on a machine that stands still for a while."""
PATIENT = {"connect_timeout_seconds": LONG, "ping_interval_seconds": 3600}
"""A client that gives nothing up; tests that are about its patience set their own."""


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every test here on the plain loop and on uvloop."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@dataclass
class RawPeer:
    """One end of a connection, frame by frame or byte by byte."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def receive_body(self) -> bytes:
        """Return the next frame's body."""
        (length,) = HEADER.unpack(await self.reader.readexactly(4))
        return await self.reader.readexactly(length)

    async def receive(self) -> Message:
        """Return the next message."""
        return decode_message(await self.receive_body())

    def send_body(self, body: bytes) -> None:
        """Send one frame."""
        self.writer.write(HEADER.pack(len(body)) + body)

    def send(self, *messages: Message) -> None:
        """Send messages, several of them in one piece."""
        bodies = map(encode, messages)
        self.writer.write(b"".join(HEADER.pack(len(body)) + body for body in bodies))

    async def at_end(self) -> bool:
        """Wait for the other side to close; tell whether it sent nothing more."""
        try:
            return not await self.reader.read()
        except ConnectionResetError:
            return True

    async def introduce(self, *, secret: bytes | None = None, max_frame: int = LIMIT) -> None:
        """Shake hands as a client."""
        handshake = ClientHandshake("raw", Introduction("raw", max_frame, secret=secret))
        self.send_body(handshake.hello)
        while handshake.peer is None:
            answer = handshake.receive(await self.receive_body())
            if answer is not None:
                self.send_body(answer)

    async def welcome(self, *, window: int = 100, secret: bytes | None = None) -> None:
        """Shake hands as a server."""
        handshake = ServerHandshake(Introduction("raw", LIMIT, window, secret))
        while handshake.peer is None:
            self.send_body(handshake.receive(await self.receive_body()))


RawConnect = Callable[[Server], Awaitable[RawPeer]]
RawServe = Callable[[Callable[[RawPeer], Awaitable[None]]], Awaitable[str]]
Serve = Callable[..., Awaitable[Server]]
Connect = Callable[..., Awaitable[Connection]]


@pytest.fixture
async def raw_connect() -> AsyncIterator[RawConnect]:
    """Connect to a server without saying anything."""
    writers: list[asyncio.StreamWriter] = []

    async def open_raw(server: Server) -> RawPeer:
        reader, writer = await asyncio.open_connection(server.endpoint.host, server.endpoint.port)
        writers.append(writer)
        return RawPeer(reader, writer)

    yield open_raw
    await close_all(writers)


@pytest.fixture
async def raw_serve() -> AsyncIterator[RawServe]:
    """Run a server of one's own; return its endpoint."""
    servers: list[asyncio.Server] = []
    writers: list[asyncio.StreamWriter] = []
    tasks: list[asyncio.Future[None]] = []

    async def listen(conversation: Callable[[RawPeer], Awaitable[None]]) -> str:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            tasks.append(asyncio.ensure_future(conversation(RawPeer(reader, writer))))

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        servers.append(server)
        return f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield listen
    for server in servers:
        server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await close_all(writers)


async def close_all(writers: list[asyncio.StreamWriter]) -> None:
    """Close these connections, however they stand."""
    for writer in writers:
        writer.transport.abort()
    for _ in range(3):
        await asyncio.sleep(0)


async def echo(call: Call) -> bytes:
    """Return the payload."""
    return call.payload


@pytest.fixture
async def start_server() -> AsyncIterator[Serve]:
    """Start servers that are closed after the test."""
    servers: list[Server] = []

    async def start(handler: object = echo, endpoint: str = "tcp://127.0.0.1:0", **changed: object) -> Server:
        settings = ServerSettings.model_validate({"handshake_timeout_seconds": LONG, **changed})
        server = await serve(endpoint, handler, settings)  # pyright: ignore[reportArgumentType]
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.close()


@pytest.fixture
async def start_client() -> AsyncIterator[Connect]:
    """Make connections that are closed after the test."""
    connections: list[Connection] = []

    async def start(endpoint: object, **settings: object) -> Connection:
        connection = await connect(str(endpoint), ClientSettings.model_validate({**PATIENT, **settings}))
        connections.append(connection)
        return connection

    yield start
    for connection in connections:
        connection.close()
        await connection.wait_closed()


@dataclass(frozen=True)
class Certificates:
    """PEM files: an authority, a server, a client, and a server whose time is over."""

    directory: Path

    def path(self, name: str) -> str:
        """Return the file's path."""
        return str(self.directory / name)


def openssl(directory: Path, *arguments: str) -> None:
    """Run the openssl command."""
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Make certificates with the openssl command."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed")
    directory = tmp_path_factory.mktemp("certificates")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for authority in ("ca", "other"):
        names = ["-keyout", f"{authority}.key", "-out", f"{authority}.pem", "-subj", f"/CN={authority}"]
        openssl(directory, "req", "-x509", *key, *names, "-days", "2")
    (directory / "san").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name, days in (("server", "2"), ("client", "2"), ("expired", "-1")):
        openssl(directory, "req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "san", "-days", days]
        openssl(directory, "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signing)
    return Certificates(directory)


async def until(condition: Callable[[], bool]) -> None:
    """Wait, at most forty seconds, for a condition."""
    async with asyncio.timeout(40):
        while not condition():  # noqa: ASYNC110 - the condition belongs to somebody else
            await asyncio.sleep(0.002)
