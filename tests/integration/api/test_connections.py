"""What one connection may take, and how the server stops."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec
import pytest

from hotplane.api import Server, serve
from hotplane.api import server as server_module
from hotplane.api.protocol import ConnectionLimits
from hotplane.app import Hotplane
from hotplane.errors import CannotListen, PortInUse
from tests.integration.api.conftest import FOREVER
from tests.pace import in_time

HEAD = b"POST /api/tasks/echo/execute HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
SMALL = ConnectionLimits(head_bytes=2000)
QUICK = ConnectionLimits(request_seconds=0.1)


async def answered(reader: asyncio.StreamReader) -> bytes:
    """Read one answer and return its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))


@pytest.mark.parametrize("pieces", [1, 50])
async def test_a_huge_head_is_refused(serving: Any, pieces: int) -> None:
    """In one piece or in many: 431, and the connection ends."""
    async with serving(SMALL) as edge:
        reader, writer = await edge.connect()
        for part in [HEAD, *[b"x-%d: %s\r\n" % (number, b"y" * (3000 // pieces)) for number in range(pieces)], b"\r\n"]:
            writer.write(part)
            await asyncio.sleep(0)
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"code":"headers-too-large"' in answer


async def test_a_header_without_end_is_refused(serving: Any) -> None:
    """Nothing is kept of a single header that goes on and on."""
    async with serving(SMALL) as edge:
        reader, writer = await edge.connect()
        writer.write(b"GET /" + b"a" * 5000)
        assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
        writer.close()


async def test_a_large_body_behind_a_small_head_passes(serving: Any) -> None:
    """The limit of the head does not count the body, nor earlier requests of the connection."""
    async with serving(SMALL) as edge:
        for _ in range(3):
            assert (await edge.execute("echo", "x" * 20_000)).status_code == 200


@pytest.mark.parametrize("sent", [b"", b"GET /livez HT", HEAD, HEAD + b"content-length: 100\r\n\r\n{", b"\r\n\r\n"])
async def test_a_request_that_does_not_end_is_ended(serving: Any, sent: bytes) -> None:
    """A client that never finishes its request holds its connection for a limited time only."""
    async with serving(QUICK) as edge:
        reader, writer = await edge.connect()
        writer.write(sent)
        answer = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"code":"request-too-slow"' in answer
        async with asyncio.timeout(60):
            while edge.host.stats()["in_flight"]:  # noqa: ASYNC110 - the host has no event for it
                await asyncio.sleep(0.005)


async def test_what_is_not_http_is_a_problem(edge: Any) -> None:
    """Even then the answer is a problem document."""
    answer = await edge.raw(b"HELLO\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer


async def test_connections_beyond_the_limit_are_refused(serving: Any) -> None:
    """The one too many is told so; the others go on."""
    async with serving(max_connections=2) as edge:
        first, second = await edge.connect(), await edge.connect()
        reader, writer = await edge.connect()
        answer = await asyncio.wait_for(reader.read(), 60)
        for _, each in (first, second, (reader, writer)):
            each.close()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in answer


async def test_says_nothing_of_its_make(edge: Any) -> None:
    """There is a Date and no Server header."""
    answer = await edge.client.get("/livez")
    assert "date" in answer.headers
    assert "server" not in answer.headers


async def test_pipelined_requests_are_answered_in_order(edge: Any) -> None:
    """Two requests in one piece get two answers."""
    body = b'{"input":%d}'
    requests = b"".join(HEAD + b"content-length: 11\r\n\r\n" + body % number for number in (7, 8))
    reader, writer = await edge.connect()
    writer.write(requests)
    for number in (7, 8):
        assert msgspec.json.decode(await answered(reader))["output"] == number
    writer.close()


@pytest.mark.parametrize("path", [b"/livez", b"/livez?", b"/%6Civez", b"http://localhost/livez"])
async def test_pipelined_requests_of_any_form_are_answered_in_order(edge: Any, path: bytes) -> None:
    """Paths that stand for themselves take another way than others, in the same line."""
    body = b'{"input":7}'
    reader, writer = await edge.connect()
    writer.write(b"GET %b HTTP/1.1\r\nhost: localhost\r\n\r\n" % path + HEAD + b"content-length: 11\r\n\r\n" + body)
    assert b"output" not in await answered(reader)
    assert b'"output":7' in await answered(reader)
    writer.close()


async def test_a_body_may_come_in_pieces(edge: Any) -> None:
    """A request is served when it is there."""
    reader, writer = await edge.connect()
    for piece in (HEAD, b"content-length: 11\r\n\r\n", b'{"inp', b'ut":7', b"}"):
        writer.write(piece)
        await asyncio.sleep(0.01)
    assert b'"output":7' in await answered(reader)
    writer.close()


async def test_an_idle_connection_is_closed(edge: Any) -> None:
    """After an answer a connection is kept for a minute, and no longer."""
    reader, writer = await edge.connect()
    before = asyncio.get_running_loop().time()
    writer.write(HEAD + b'content-length: 11\r\n\r\n{"input":7}')
    await answered(reader)
    for at in (before + 59, asyncio.get_running_loop().time() + 61):
        assert not reader.at_eof()
        for connection in list(edge.server._open()):
            connection.expire(at)
        await asyncio.sleep(0.05)
    assert await asyncio.wait_for(reader.read(), 60) == b""
    assert reader.at_eof()
    writer.close()


async def test_an_old_client_gets_an_answer_and_the_end(edge: Any) -> None:
    """HTTP/1.0 closes the connection after each answer."""
    reader, writer = await edge.connect()
    writer.write(HEAD.replace(b"/1.1", b"/1.0") + b'content-length: 11\r\n\r\n{"input":7}')
    answer = await asyncio.wait_for(reader.read(), 60)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer
    writer.close()


# --- listening ---------------------------------------------------------------------------------------------------


async def test_a_port_in_use_is_said(edge: Any, settings: Any) -> None:
    """The error names host and port, and the host behind it was not started."""
    host = Hotplane.from_config(settings(port=edge.port))
    with pytest.raises(PortInUse, match=f"Port {edge.port} of 127.0.0.1 is in use"):
        await Server(host).start()
    assert host.readiness() != ()


async def test_an_address_of_another_machine_is_said(settings: Any) -> None:
    """The error says what the system said."""
    config = {**settings(), "server": {"host": "192.0.2.1", "port": 0, "tokens": ["sha256:" + "0" * 64]}}
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1"):
        await Server(Hotplane.from_config(config)).start()


async def test_localhost_is_reached_by_every_of_its_addresses(serving: Any) -> None:
    """The same port, also where it is a free one."""
    async with serving(host="localhost") as edge:
        for address in {
            str(each[4][0]) for each in socket.getaddrinfo("localhost", edge.port, type=socket.SOCK_STREAM)
        }:
            name = f"[{address}]" if ":" in address else address
            async with httpx2.AsyncClient(base_url=f"http://{name}:{edge.port}", trust_env=False, timeout=60) as client:
                assert (await client.get("/livez")).status_code == 200


# --- stopping ----------------------------------------------------------------------------------------------------


async def test_what_is_in_flight_finishes(serving: Any, tmp_path: Path) -> None:
    """A request that is being answered when the server stops gets its answer."""
    gate = tmp_path / "gate"
    async with serving() as edge:
        asked = asyncio.create_task(edge.execute("held", str(gate)))
        await in_flight(edge)
        stopping = asyncio.create_task(edge.server.stop(60))
        await gone(edge.server.url)
        gate.touch()
        await stopping
        answer = await asked
    assert (answer.status_code, answer.json()["output"]) == (200, "let-go")


async def test_what_overruns_the_grace_is_interrupted_and_answered(serving: Any) -> None:
    """The record says `interrupted`, its caller gets it, and the server ends in time."""
    async with serving() as edge:
        asked = asyncio.create_task(edge.execute("patient", FOREVER))
        await in_flight(edge)
        began = monotonic()
        await edge.server.stop(0.2)
        assert in_time(monotonic() - began, 1.2)
        assert (await asked).json()["status"] == "interrupted"


async def test_idle_connections_do_not_delay_the_end(serving: Any) -> None:
    """A kept connection without a request is closed at once."""
    async with serving() as edge:
        await edge.client.get("/livez")
        began = monotonic()
        await edge.server.stop(600)
        assert monotonic() - began < 60


async def stopped_in_mid_request(edge: Any, stop_host: Callable[[float], Awaitable[None]]) -> BaseException | None:
    """Stop a server, with this as the stop of its host; check that it has let go of all, and return what it raised."""
    reader, writer = await edge.connect()
    body = b'{"input": %d}' % FOREVER
    writer.write(HEAD.replace(b"/echo/", b"/patient/") + b"content-length: %d\r\n\r\n%b" % (len(body), body))
    await in_flight(edge)
    with pytest.MonkeyPatch.context() as patch:  # what is left is stopped by the host itself
        patch.setattr(edge.host, "stop", stop_host)
        [raised] = await asyncio.wait_for(asyncio.gather(edge.server.stop(0), return_exceptions=True), 100)
    assert await asyncio.wait_for(reader.read(), 60) == b""
    writer.close()
    keeper = edge.server._housekeeper
    assert keeper.cancelling()
    await asyncio.wait({keeper}, timeout=60)
    assert keeper.cancelled()
    return raised


async def test_a_host_that_does_not_stop_is_left(
    serving: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so; its stop is cancelled, and the server ends as it always does."""
    stopping: list[asyncio.Task[Any] | None] = []

    async def for_ever(grace: float) -> None:
        stopping.append(asyncio.current_task())
        await asyncio.Event().wait()

    async with serving() as edge:
        with monkeypatch.context() as patch:
            patch.setattr(server_module, "_LAST_SECONDS", 0.1)
            assert await stopped_in_mid_request(edge, for_ever) is None
    [task] = stopping
    assert task is not None
    assert task.cancelled()
    assert [each.getMessage() for each in caplog.records].count("server.host-did-not-stop grace_seconds=0") == 1


@pytest.mark.parametrize("error", [TimeoutError("late"), OSError("no disk")], ids=repr)
async def test_a_host_that_cannot_stop_keeps_nothing_open(
    serving: Any, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Who stops the server gets the error, once connections and housekeeping have ended; it is not called late."""

    async def fail(grace: float) -> None:
        raise error

    async with serving() as edge:
        assert await stopped_in_mid_request(edge, fail) is error
    assert "server.host-did-not-stop" not in caplog.text


async def test_a_cancelled_server_stops_its_host(settings: Any) -> None:
    """A program that embeds `serve` and cancels it leaves nothing running."""
    host = Hotplane.from_config(settings())
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(host, on_ready=ready.set_result))
    await ready
    assert host.readiness() == ()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert host.readiness() != ()


async def in_flight(edge: Any) -> None:
    """Wait until the host has admitted an execution."""
    async with asyncio.timeout(60):
        while not edge.host.stats()["in_flight"]:  # noqa: ASYNC110 - the host has no event for it
            await asyncio.sleep(0.005)


async def seen_in_flight(client: httpx2.AsyncClient) -> None:
    """Wait until the host has admitted an execution."""
    async with asyncio.timeout(60):
        while not (await client.get("/api/plugins/system/stats")).json()["in_flight"]:  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(0.01)


async def gone(url: str) -> None:
    """Wait until nobody listens there any more."""
    parts = urlsplit(url)
    async with asyncio.timeout(60):
        with suppress(ConnectionError):
            while True:
                _, writer = await asyncio.open_connection(parts.hostname, parts.port)
                writer.close()
                await asyncio.sleep(0.01)


async def test_a_signal_ends_the_process_in_order(spawn: Any, tmp_path: Path) -> None:
    """What is in flight is answered, `serve` returns, and the process ends with 0."""
    process, url = await spawn(shutdown_grace_seconds=60)
    gate = tmp_path / "gate"
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        waiting = asyncio.create_task(client.post("/api/tasks/held/execute", json={"input": str(gate)}))
        await seen_in_flight(client)
        process.send_signal(signal.SIGTERM)
        await gone(url)
        gate.touch()
        assert (await waiting).json()["output"] == "let-go"
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert (out, process.returncode) == (b"ended\n", 0)


async def test_a_second_signal_does_not_wait(spawn: Any) -> None:
    """Whoever insists gets the end at once; what ran is recorded as interrupted, and answered."""
    process, url = await spawn(shutdown_grace_seconds=600)
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        waiting = asyncio.create_task(client.post("/api/tasks/patient/execute", json={"input": FOREVER}))
        await seen_in_flight(client)
        process.send_signal(signal.SIGTERM)
        await gone(url)
        began = monotonic()
        process.send_signal(signal.SIGINT)
        assert (await waiting).json()["status"] == "interrupted"
    await asyncio.wait_for(process.communicate(), 60)
    assert monotonic() - began < 60
    assert process.returncode == 0


async def test_no_answer_waits_for_an_acknowledgement(edge: Any) -> None:
    """Head and body are written apart: the second must not be held back until the client says that it has the first."""
    await edge.client.get("/livez")
    (connection,) = edge.server._state.connections
    accepted = connection.transport.get_extra_info("socket")
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
