"""What a server does with clients that misbehave, and how it ends."""

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from hotplane.log import capture_logs
from hotplane.valkyrie import (
    AddressInUse,
    AnonymousRefused,
    Call,
    ConnectFailed,
    Endpoint,
    HandshakeRefused,
    PeerShuttingDown,
    PlaintextRefused,
    ServerSettings,
    serve,
)
from hotplane.valkyrie.frames import HEADER
from hotplane.valkyrie.handshake import ClientHandshake, Introduction
from hotplane.valkyrie.messages import Cancel, Error, GoAway, Ping, Pong, Refused, Result, decode_greeting
from tests.integration.valkyrie.conftest import Connect, RawConnect, Serve, echo, until

SECRET = "a shared secret of 32 characters"


async def hang(call: Call) -> bytes:
    """Run until cancelled."""
    await asyncio.sleep(60)
    return b""


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", "TLS, which this port does not expect"),
        (b"SSH-2.0-OpenSSH_9.7\r\n", "SSH"),
        (b"\xde\xad\xbe\xef\x00", "unknown bytes (de ad be ef 00)"),
    ],
)
async def test_a_stranger_gets_a_clean_close_and_one_line(
    start_server: Serve, raw_connect: RawConnect, data: bytes, what: str
):
    """The log says what it looked like; the stranger gets no bytes that it would not understand."""
    peer = await raw_connect(await start_server())
    with capture_logs() as logs:
        peer.writer.write(data)
        assert await peer.reader.read() == b""
    assert [(entry["event"], entry["looks_like"]) for entry in logs] == [("valkyrie_stranger", what)]


async def test_a_client_that_says_nothing_is_closed(start_server: Serve, raw_connect: RawConnect):
    """The handshake has a time limit, and the client is told."""
    peer = await raw_connect(await start_server(handshake_timeout_seconds=0.1))
    refused = decode_greeting(await peer.receive_body())
    assert isinstance(refused, Refused)
    assert refused.code == "timeout"
    assert await peer.at_end()


async def test_a_client_that_stops_half_way_is_closed(start_server: Serve, raw_connect: RawConnect):
    """A hello that never ends is a stranger in the end."""
    server = await start_server(handshake_timeout_seconds=0.1)

    async def turned_away() -> bool:
        peer = await raw_connect(server)
        peer.writer.write(b"\0\0")
        return await peer.at_end()

    # One that heard that it had said nothing sent its bytes too late.
    assert True in [await turned_away() for _ in range(10)]
    await until(lambda: server.unauthenticated == 0)


async def test_calls_before_the_handshake_are_refused(start_server: Serve, raw_connect: RawConnect):
    """Nobody calls without an introduction."""
    peer = await raw_connect(await start_server())
    peer.send(Call(1, "t", "m", 1000, None, b""))
    answer = await peer.receive()
    assert isinstance(answer, GoAway)
    assert answer.code == "protocol-error"


@pytest.mark.parametrize(
    ("client", "reason"),
    [({"secret": "another secret, also long enough"}, "not the same"), ({}, "wants authentication 'hmac-sha256'")],
)
async def test_a_wrong_or_missing_secret_is_refused(
    start_server: Serve, start_client: Connect, client: dict[str, str], reason: str
):
    """Both sides are told why, and neither the log nor the error holds a secret."""
    server = await start_server(secret=SECRET)
    with capture_logs() as logs, pytest.raises(HandshakeRefused, match=reason) as caught:
        await start_client(server.endpoint, **client)
    assert caught.value.refusal == "authentication"
    assert logs[0]["event"] == "valkyrie_client_refused"
    assert "secret of 32" not in f"{logs}{caught.value}"


async def test_the_same_secret_opens_the_door(start_server: Serve, start_client: Connect, tmp_path: Path):
    """From a file or from memory."""
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    file.chmod(0o600)
    client = await start_client((await start_server(secret=SECRET)).endpoint, secret_file=file)
    assert client.peer.authenticated


async def test_a_newer_client_is_refused_with_both_lists(start_server: Serve, raw_connect: RawConnect):
    """A version that we do not speak is refused in words."""
    peer = await raw_connect(await start_server())
    peer.send_body(ClientHandshake("x", Introduction("new", 9999, versions=(7, 8))).hello)
    assert decode_greeting(await peer.receive_body()) == Refused(
        "version", "no common protocol version: this server speaks 1, the client speaks 7, 8"
    )
    assert await peer.at_end()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (HEADER.pack(2**31), "a frame of 2147483648 bytes; at most 16777216"),
        (HEADER.pack(2) + b"\xc1\xc1", "malformed"),
        (HEADER.pack(5) + b"\x93\x11\x01\xc4\x00", "must not send Result"),
    ],
)
async def test_a_broken_frame_ends_its_connection_alone(
    start_server: Serve, start_client: Connect, raw_connect: RawConnect, data: bytes, reason: str
):
    """The offender is told why and closed; others do not notice."""
    server = await start_server()
    other = await start_client(server.endpoint)
    peer = await raw_connect(server)
    await peer.introduce()
    peer.writer.write(data)
    answer = await peer.receive()
    assert isinstance(answer, GoAway)
    assert (answer.code, reason in answer.message) == ("protocol-error", True)
    assert await peer.at_end()
    assert await other.call("t", "m", b"fine", 30) == b"fine"


async def test_a_call_id_in_use_is_a_violation(start_server: Serve, raw_connect: RawConnect):
    """Two open calls cannot share an id."""
    peer = await raw_connect(await start_server(hang))
    await peer.introduce()
    for _ in range(2):
        peer.send(Call(1, "t", "m", 60_000, None, b""))
    answer = await peer.receive()
    assert isinstance(answer, GoAway)
    assert "in use" in answer.message


async def test_more_than_the_window_is_answered_with_overload(start_server: Serve, raw_connect: RawConnect):
    """A peer that ignores the window is refused call by call, and those did not run."""
    peer = await raw_connect(await start_server(hang, window=2))
    await peer.introduce()
    for call_id in (1, 2, 3):
        peer.send(Call(call_id, "t", "m", 60_000, None, b""))
    answer = await peer.receive()
    assert isinstance(answer, Error)
    assert (answer.id, answer.code, answer.may_have_run) == (3, "overloaded", False)


async def test_a_call_without_time_is_not_run(start_server: Serve, raw_connect: RawConnect):
    """A deadline that has passed on the way is answered as such."""
    peer = await raw_connect(await start_server(hang))
    await peer.introduce()
    peer.send(Call(1, "t", "m", 0, None, b""))
    answer = await peer.receive()
    assert isinstance(answer, Error)
    assert (answer.code, answer.may_have_run) == ("deadline-exceeded", False)


async def test_the_server_ends_a_call_at_its_deadline_by_itself(start_server: Serve, raw_connect: RawConnect):
    """Also when the client sends no cancel; it says whether the handler had its turn."""
    ran: set[int] = set()

    async def handler(call: Call) -> bytes:
        ran.add(call.id)
        return await hang(call)

    server = await start_server(handler)
    peer = await raw_connect(server)
    await peer.introduce()
    call_id = 0
    while not ran:
        call_id += 1
        peer.send(Call(call_id, "t", "m", 50, None, b""))
        answer = await asyncio.wait_for(peer.receive(), 30)
        assert isinstance(answer, Error)
        assert (answer.code, answer.may_have_run) == ("deadline-exceeded", call_id in ran)
    assert server.running == 0


async def test_a_cancel_in_the_same_packet_is_answered_as_not_run(start_server: Serve, raw_connect: RawConnect):
    """A task that is cancelled before its first step still answers, and its handler never runs."""
    ran: list[Call] = []

    async def handler(call: Call) -> bytes:
        ran.append(call)
        return b""

    server = await start_server(handler)
    peer = await raw_connect(server)
    await peer.introduce()
    peer.send(Call(1, "t", "m", 60_000, None, b""), Cancel(1), Cancel(77))
    answer = await asyncio.wait_for(peer.receive(), 30)
    assert isinstance(answer, Error)
    assert (answer.code, answer.may_have_run) == ("cancelled", False)
    assert (ran, server.running) == ([], 0)


async def test_a_vanished_client_cancels_its_calls(start_server: Serve, raw_connect: RawConnect):
    """Nobody computes for nobody."""
    server = await start_server(hang)
    peer = await raw_connect(server)
    await peer.introduce()
    peer.send(Call(1, "t", "m", 60_000, None, b""))
    await until(lambda: server.running == 1)
    peer.writer.transport.abort()
    await until(lambda: server.running == 0 and server.connections == 0)


async def test_a_client_that_does_not_read_is_held_back(start_server: Serve, raw_connect: RawConnect):
    """The server takes no more calls from it, keeps a bounded amount for it, and cuts it in the end."""

    async def large(call: Call) -> bytes:
        return b"x" * 500_000

    settings = {"write_high_water_bytes": 100_000, "max_buffered_bytes": 2_000_000, "stall_seconds": 0.3}
    server = await start_server(large, **settings)
    peer = await raw_connect(server)
    await peer.introduce()
    peer.writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
    for call_id in range(1, 200):
        peer.send(Call(call_id, "t", "m", 60_000, None, b""))
    await until(lambda: server.connections == 0)
    assert server.running == 0


async def test_a_client_that_reads_late_is_served_then(start_server: Serve, raw_connect: RawConnect):
    """While nobody reads the answers no further calls are taken; afterwards every one is answered."""
    ran: list[int] = []

    def large(call: Call) -> bytes:
        ran.append(call.id)
        return b"x" * 500_000

    peer = await raw_connect(await start_server(large, write_high_water_bytes=100_000))
    await peer.introduce()
    peer.writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
    for call_id in range(1, 61):
        peer.send(Call(call_id, "t", "m", 60_000, None, b"y" * 100_000))
    await asyncio.sleep(0.3)
    assert len(ran) < 60
    peer.writer.transport.resume_reading()  # pyright: ignore[reportAttributeAccessIssue]
    answers = [await peer.receive() for _ in range(60)]
    assert {answer.id for answer in answers if isinstance(answer, Result)} == set(range(1, 61))


async def test_pings_are_answered_with_the_load(start_server: Serve, raw_connect: RawConnect):
    """Token, running calls, limit."""
    peer = await raw_connect(await start_server(max_calls=5))
    await peer.introduce()
    peer.send(Ping(42))
    assert await peer.receive() == Pong(42, 0, 5)


async def test_idle_connections_evict_each_other(start_server: Serve, start_client: Connect):
    """A flood that never says hello keeps nobody out."""
    server = await start_server(max_unauthenticated=20)
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(socket.create_connection((server.endpoint.host, server.endpoint.port)))
        client = await start_client(server.endpoint)
        assert await client.call("t", "m", b"in", 30) == b"in"
        await until(lambda: server.refused_connections >= 280)
        assert server.unauthenticated <= 20


async def test_too_many_connections_are_refused_in_words(start_server: Serve, start_client: Connect):
    """The limit on connections is a refusal, not a silence."""
    server = await start_server(max_connections=1)
    await start_client(server.endpoint)
    with pytest.raises(HandshakeRefused, match="has 1 connections already") as caught:
        await start_client(server.endpoint)
    assert caught.value.refusal == "overloaded"


async def test_draining_loses_no_call(start_server: Serve, start_client: Connect):
    """Under load every call is either answered or refused as not executed."""
    executed: set[bytes] = set()

    async def handler(call: Call) -> bytes:
        executed.add(call.payload)
        await asyncio.sleep(0.005)
        return call.payload

    server = await start_server(handler, linger_seconds=30)
    client = await start_client(server.endpoint)
    answered: set[bytes] = set()

    async def caller(name: int) -> None:
        for n in range(10_000):
            payload = b"%d/%d" % (name, n)
            try:
                answered.add(await client.call("t", "m", payload, 30))
            except PeerShuttingDown as refusal:
                assert refusal.executed == "no"  # noqa: PT017 - the loop goes on until refused
                return

    callers = [asyncio.create_task(caller(name)) for name in range(30)]
    await until(lambda: len(answered) > 100)
    assert await server.drain(30) == 0
    await asyncio.gather(*callers)
    assert answered == executed
    with pytest.raises(ConnectFailed):
        await start_client(server.endpoint)


async def test_draining_gives_up_after_its_grace(start_server: Serve, start_client: Connect):
    """What does not finish is cancelled, counted and answered as maybe executed."""
    server = await start_server(hang)
    client = await start_client(server.endpoint)
    call = asyncio.create_task(client.call("t", "m", b"", 30))
    await until(lambda: server.running == 1)
    with capture_logs():
        assert await server.drain(0.1) == 1
    with pytest.raises(PeerShuttingDown) as caught:
        await call
    assert caught.value.executed == "maybe"


async def test_a_call_on_its_way_to_a_server_that_goes_is_answered(start_server: Serve, raw_connect: RawConnect):
    """The server waits for it, and says that it did not run."""
    server = await start_server(linger_seconds=30)
    peer = await raw_connect(server)
    await peer.introduce()
    draining = asyncio.create_task(server.drain(60))
    assert isinstance(await peer.receive(), GoAway)
    peer.send(Call(1, "t", "m", 1000, None, b""))
    answer = await peer.receive()
    assert isinstance(answer, Error)
    assert (answer.code, answer.may_have_run) == ("shutting-down", False)
    peer.writer.close()
    assert await draining == 0


async def test_an_idle_client_that_ignores_the_go_away_is_closed(start_server: Serve, raw_connect: RawConnect):
    """The server waits a moment for calls on their way, then closes by itself."""
    server = await start_server(linger_seconds=0.2)
    peer = await raw_connect(server)
    await peer.introduce()
    async with asyncio.timeout(30):
        assert await server.drain(60) == 0
    assert isinstance(await peer.receive(), GoAway)
    assert await peer.at_end()


async def test_an_idle_client_that_stays_is_no_overrun(start_server: Serve, raw_connect: RawConnect):
    """At the end of the grace it is closed, too, and no call is said to have been cut off."""
    server = await start_server(linger_seconds=3600)
    peer = await raw_connect(server)
    await peer.introduce()
    with capture_logs() as logs:
        assert await server.drain(0.1) == 0
    assert "valkyrie_drain_overran" not in {entry["event"] for entry in logs}
    assert isinstance(await peer.receive(), GoAway)


async def test_a_stale_socket_file_is_replaced(start_server: Serve, start_client: Connect, tmp_path: Path):
    """What a killed server left behind does not keep the next one from starting."""
    path = tmp_path / "v.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    server = await start_server(endpoint=f"unix://{path}")
    client = await start_client(server.endpoint)
    assert await client.call("t", "m", b"x", 30) == b"x"


async def test_a_living_servers_socket_is_not_taken(start_server: Serve, tmp_path: Path):
    """Two servers cannot share a path."""
    await start_server(endpoint=f"unix://{tmp_path}/v.sock")
    with pytest.raises(AddressInUse, match="another server listens there"):
        await start_server(endpoint=f"unix://{tmp_path}/v.sock")


async def test_a_file_that_is_no_socket_is_never_removed(start_server: Serve, tmp_path: Path):
    """A mistyped path costs nobody a file."""
    file = tmp_path / "precious"
    file.write_text("data")
    with pytest.raises(AddressInUse, match="not a socket"):
        await start_server(endpoint=f"unix://{file}")
    assert file.read_text() == "data"


async def test_a_taken_port_is_said(start_server: Serve):
    """The error names the address."""
    server = await start_server()
    with pytest.raises(AddressInUse, match="Address already in use"):
        await start_server(endpoint=str(server.endpoint))


@pytest.mark.parametrize(
    ("endpoint", "settings", "refusal"),
    [
        ("tcp://0.0.0.0:0", {}, PlaintextRefused),
        ("tcp://0.0.0.0:0", {"secret": SECRET}, PlaintextRefused),
        ("tcp://0.0.0.0:0", {"allow_plaintext": True}, AnonymousRefused),
        ("tls://0.0.0.0:0", {}, AnonymousRefused),
    ],
)
async def test_open_doors_need_an_explicit_setting(
    endpoint: str, settings: dict[str, object], refusal: type[Exception]
):
    """Beyond this machine neither plaintext nor anonymous callers come by default."""
    with pytest.raises(refusal):
        await serve(endpoint, echo, ServerSettings.model_validate(settings))


async def test_a_client_does_not_send_plaintext_beyond_this_machine(start_client: Connect):
    """Not by default."""
    with pytest.raises(PlaintextRefused, match="allow_plaintext"):
        await start_client(Endpoint("tcp", "192.0.2.1", 80))
