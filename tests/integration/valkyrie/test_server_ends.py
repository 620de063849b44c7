"""How a server lets go of its clients: those that linger, that change their mind, and that are late."""

import asyncio
import resource
import socket
from collections.abc import Awaitable, Callable, Generator

import pytest

from hotplane.log import capture_logs
from hotplane.valkyrie import Call, PeerFailed, ServerSettings, serve
from hotplane.valkyrie.frames import HEADER
from hotplane.valkyrie.handshake import ClientHandshake, Introduction
from hotplane.valkyrie.messages import Cancel, Error, GoAway, Ping, Pong, Refused, Result, decode_greeting
from tests.integration.valkyrie.conftest import Connect, RawConnect, Serve, echo, until


async def test_a_call_that_outlasts_the_linger_is_answered(start_server: Serve, raw_connect: RawConnect):
    """A client that ignores the go-away is closed when its last call has its answer, not before."""
    release = asyncio.Event()

    async def handler(call: Call) -> bytes:
        await release.wait()
        return b"done"

    server = await start_server(handler, linger_seconds=0.05)
    peer = await raw_connect(server)
    await peer.introduce()
    for call_id in (1, 2):
        peer.send(Call(call_id, "t", "m", 60_000, None, b""))
    await until(lambda: server.running == 2)
    draining = asyncio.create_task(server.drain(30))
    assert isinstance(await peer.receive(), GoAway)
    await asyncio.sleep(0.1)  # longer than it lingers
    assert server.connections == 1
    release.set()
    assert [await peer.receive() for _ in range(2)] == [Result(1, b"done"), Result(2, b"done")]
    async with asyncio.timeout(30):
        assert await peer.at_end()
        assert await draining == 0


async def test_a_client_that_does_not_read_does_not_hold_the_close(start_server: Serve, raw_connect: RawConnect):
    """It gets a moment to take what was queued for it, then it is cut."""
    server = await start_server(lambda _: b"x" * 900_000, closing_seconds=0.1)
    peer = await raw_connect(server)
    await peer.introduce()
    peer.writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
    for call_id in range(1, 30):
        peer.send(Call(call_id, "t", "m", 60_000, None, b""))
    await asyncio.sleep(0.1)
    assert server.connections == 1
    async with asyncio.timeout(30):
        await server.close()
    await until(lambda: server.connections == 0)


async def test_a_client_may_end_the_conversation_in_words(start_server: Serve, raw_connect: RawConnect):
    """Its reason is in the log, and what ran for it is cancelled."""
    ended = asyncio.Event()

    async def handler(call: Call) -> bytes:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return b""

    server = await start_server(handler)
    peer = await raw_connect(server)
    await peer.introduce()
    peer.send(Call(1, "t", "m", 60_000, None, b""))
    await until(lambda: server.running == 1)
    with capture_logs() as logs:
        peer.send(GoAway("bored", "that is enough"))
        assert await peer.at_end()
        await asyncio.wait_for(ended.wait(), 30)
        await until(lambda: server.connections == 0)
    reasons = [entry["reason"] for entry in logs if entry["event"] == "valkyrie_connection_ended"]
    assert reasons == ["the client closed it (bored): that is enough"]


async def test_two_cancels_are_one(start_server: Serve, raw_connect: RawConnect):
    """A call that was cancelled twice is interrupted once, and answered once."""
    interrupted, release = 0, asyncio.Event()

    async def handler(call: Call) -> bytes:
        nonlocal interrupted
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                interrupted += 1
        raise asyncio.CancelledError

    server = await start_server(handler)
    peer = await raw_connect(server)
    await peer.introduce()
    peer.send(Call(1, "t", "m", 60_000, None, b""))
    await until(lambda: server.running == 1)
    peer.send(Cancel(1))
    await until(lambda: interrupted == 1)
    peer.send(Cancel(1), Ping(7))
    assert isinstance(await peer.receive(), Pong)
    release.set()
    answer = await peer.receive()
    assert isinstance(answer, Error)
    assert (answer.code, answer.may_have_run, interrupted) == ("cancelled", True, 1)
    await server.close()
    assert await peer.at_end()


class Patient:
    """Something of a user's own that can be awaited."""

    def __await__(self) -> Generator[object, None, bytes]:
        raise AssertionError("it was awaited")


def make_future() -> Awaitable[bytes]:
    """Return a future that nobody fulfils."""
    return asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("make", [make_future, Patient])
async def test_what_a_handler_returned_is_let_go_when_it_is_cancelled_at_once(
    start_server: Serve, raw_connect: RawConnect, make: Callable[[], Awaitable[bytes]]
):
    """Nobody goes on waiting for a future that no call needs; anything else is just not awaited."""
    returned: list[Awaitable[bytes]] = []

    def handler(call: Call) -> Awaitable[bytes]:
        returned.append(make())
        return returned[-1]

    server = await start_server(handler)
    peer = await raw_connect(server)
    await peer.introduce()
    peer.send(Call(1, "t", "m", 60_000, None, b""), Cancel(1))
    answer = await asyncio.wait_for(peer.receive(), 30)
    assert isinstance(answer, Error)
    assert (answer.code, answer.may_have_run) == ("cancelled", False)
    assert all(each.cancelled() for each in returned if isinstance(each, asyncio.Future))


async def test_a_hello_may_come_in_pieces(start_server: Serve, raw_connect: RawConnect):
    """A slow line does not make a stranger, whatever a later piece begins with."""
    peer = await raw_connect(await start_server())
    handshake = ClientHandshake("raw", Introduction("raw", 100_000))
    hello = HEADER.pack(len(handshake.hello)) + handshake.hello
    for start in range(0, len(hello), 6):
        peer.writer.write(hello[start : start + 6])
        await peer.writer.drain()
        await asyncio.sleep(0.002)
    handshake.receive(await peer.receive_body())
    assert handshake.peer is not None


async def test_a_hello_that_meets_the_end_is_refused_in_words(start_server: Serve):
    """Who introduces itself while the server closes learns why there will be no calls."""
    server = await start_server()
    with socket.create_connection((server.endpoint.host, server.endpoint.port)) as late:
        await until(lambda: server.unauthenticated == 1)
        hello = ClientHandshake("raw", Introduction("raw", 100_000)).hello
        late.sendall(HEADER.pack(len(hello)) + hello)
        await server.close()
        late.settimeout(30)
        said = late.recv(4096)
    assert decode_greeting(said[4:]) == Refused("shutting-down", "the server is shutting down")


async def test_a_long_reason_is_shortened_for_a_client_that_takes_little(start_server: Serve, start_client: Connect):
    """What does not fit into its frames is cut, rather than not told."""

    async def handler(call: Call) -> bytes:
        raise PeerFailed("because " * 900)

    client = await start_client((await start_server(handler)).endpoint, max_frame_bytes=4096)
    with pytest.raises(PeerFailed, match="because because") as caught:
        await client.call("t", "m", b"", 30)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("settings", [{"allow_anonymous": True}, {"secret": "a shared secret of 32 characters"}])
async def test_an_open_door_that_was_asked_for_is_open(settings: dict[str, object]):
    """Beyond this machine a server listens when it was said how callers are known, or that all may call."""
    server = await serve("tcp://0.0.0.0:0", echo, ServerSettings.model_validate({"allow_plaintext": True, **settings}))
    assert server.endpoint.port
    await server.close()


async def test_localhost_may_be_the_newer_protocol(start_server: Serve, start_client: Connect):
    """Calls work over IPv6 loopback."""
    if not socket.has_ipv6:
        pytest.skip("this system has no IPv6")
    server = await start_server(endpoint="tcp://[::1]:0")
    client = await start_client(server.endpoint)
    assert await client.call("t", "m", b"x", 30) == b"x"


async def test_too_few_file_descriptors_are_told_at_the_start(start_server: Serve):
    """An operator hears of the limit before connections are refused by the system."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    try:
        with capture_logs() as logs:
            await start_server(max_connections=500)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    (warning,) = [entry for entry in logs if entry["event"] == "valkyrie_few_file_descriptors"]
    assert (warning["available"], warning["needed"] > 512) == (512, True)
