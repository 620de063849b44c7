"""What either side may say out of turn, and what the other one answers."""

import asyncio

import pytest

from hotplane.log import capture_logs
from hotplane.valkyrie import Call, ConnectionLost, InvalidEndpoint, PeerFailed, PeerShuttingDown
from hotplane.valkyrie.handshake import ClientHandshake, Introduction
from hotplane.valkyrie.messages import Call as CallMessage
from hotplane.valkyrie.messages import Cancel, Error, GoAway, Ping, Pong, Result
from tests.integration.valkyrie.conftest import LIMIT, Connect, RawConnect, RawPeer, RawServe, Serve, until


async def test_a_server_may_ask_for_a_sign_of_life(raw_serve: RawServe, start_client: Connect):
    """It gets one with its own token."""
    answers: asyncio.Queue[object] = asyncio.Queue()

    async def ask(peer: RawPeer) -> None:
        await peer.welcome()
        peer.send(Ping(77))
        answers.put_nowait(await peer.receive())
        await asyncio.sleep(60)

    await start_client(await raw_serve(ask))
    async with asyncio.timeout(30):
        assert await answers.get() == Pong(77)


@pytest.mark.parametrize(("code", "reason"), [("internal", "sorry"), ("protocol-error", "not like that")])
async def test_a_server_that_closes_says_why(raw_serve: RawServe, start_client: Connect, code: str, reason: str):
    """The words reach the caller; afterwards neither calls nor pings are sent, and nothing was executed."""

    async def leave(peer: RawPeer) -> None:
        await peer.welcome()
        await peer.receive()
        peer.send(GoAway(code, reason))
        await asyncio.sleep(60)

    client = await start_client(await raw_serve(leave))
    with pytest.raises(ConnectionLost, match=reason):
        await client.call("t", "m", b"", 30)
    for later in (client.call("t", "m", b"", 30), client.ping(30)):
        with pytest.raises(ConnectionLost) as caught:
            await later
        assert caught.value.executed == "no"


async def test_a_server_that_drains_twice_drains_once(raw_serve: RawServe, start_client: Connect):
    """What is open is still answered; what comes later is refused."""
    may_answer = asyncio.Event()

    async def drain(peer: RawPeer) -> None:
        await peer.welcome()
        call = await peer.receive()
        assert isinstance(call, CallMessage)
        for _ in range(2):
            peer.send(GoAway("draining", "a new version comes"))
        await may_answer.wait()
        peer.send(Result(call.id, b"still"))
        await asyncio.sleep(60)

    client = await start_client(await raw_serve(drain))
    call = asyncio.create_task(client.call("t", "m", b"", 30))
    await until(lambda: client.draining)
    with pytest.raises(PeerShuttingDown, match="a new version comes"):
        await client.call("t", "m", b"", 30)
    may_answer.set()
    assert await call == b"still"


async def test_a_call_may_come_with_the_last_frame_of_the_handshake(start_server: Serve, raw_connect: RawConnect):
    """A client that has nothing to prove need not wait for an answer to its hello."""
    peer = await raw_connect(await start_server())
    handshake = ClientHandshake("raw", Introduction("raw", LIMIT))
    peer.send_body(handshake.hello)
    peer.send(CallMessage(1, "t", "m", 1000, None, b"early"))
    assert handshake.receive(await peer.receive_body()) is None
    assert await peer.receive() == Result(1, b"early")


async def test_pongs_and_cancels_that_nobody_asked_for_do_no_harm(start_server: Serve, raw_connect: RawConnect):
    """They may be late; the connection serves on."""
    peer = await raw_connect(await start_server())
    await peer.introduce()
    peer.send(Pong(5))
    peer.send(Cancel(99))
    peer.send(CallMessage(1, "t", "m", 1000, None, b"x"))
    assert await peer.receive() == Result(1, b"x")


async def test_a_handler_that_returns_no_bytes_is_the_programs_mistake(start_server: Serve, start_client: Connect):
    """The caller is told that it may have run, and the log has what it returned."""

    async def wrong(call: Call) -> object:
        return "text"

    client = await start_client((await start_server(wrong)).endpoint)
    with capture_logs() as logs, pytest.raises(PeerFailed) as caught:
        await client.call("t", "m", b"", 30)
    assert caught.value.executed == "maybe"
    assert [entry["event"] for entry in logs] == ["valkyrie_handler_failed"]


async def test_nobody_listens_at_port_0(start_client: Connect):
    """It stands for any port, which only a server can take."""
    with pytest.raises(InvalidEndpoint, match="port 0"):
        await start_client("tcp://127.0.0.1:0")


async def test_an_answer_to_no_call_is_counted_and_dropped(raw_serve: RawServe, start_client: Connect):
    """Also a failure; the call that waits gets its own."""

    async def confuse(peer: RawPeer) -> None:
        await peer.welcome()
        call = await peer.receive()
        assert isinstance(call, CallMessage)
        peer.send(Result(call.id + 1, b"whose"))
        peer.send(Error(call.id + 2, "failed", "whose", False, None))
        peer.send(Result(call.id, b"mine"))
        await asyncio.sleep(60)

    client = await start_client(await raw_serve(confuse))
    assert await client.call("t", "m", b"", 30) == b"mine"
    assert client.counters.unknown == 2
