"""What happens to a call when two things come in the same turn of the loop; over a pair of real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable

import pytest

from hotplane.valkyrie import ClientSettings, ConnectFailed, Connection, ConnectionLost, PeerShuttingDown
from hotplane.valkyrie.frames import HEADER, FrameReader
from hotplane.valkyrie.handshake import ClientHandshake, Introduction, ServerHandshake
from hotplane.valkyrie.messages import (
    Call,
    Cancel,
    GoAway,
    Message,
    Ping,
    Pong,
    Refused,
    Result,
    decode_message,
    encode,
)

OWN = Introduction("test", 100_000)


def frame(body: bytes) -> bytes:
    """Return a frame."""
    return HEADER.pack(len(body)) + body


class Pair:
    """A connection and the plain socket at its other end; what arrives is handed in, so that the test says when."""

    def __init__(self, connection: Connection, peer: socket.socket) -> None:
        self.connection = connection
        self.peer = peer

    def hears(self, *messages: Message) -> None:
        """Let these messages arrive at once."""
        self.connection.link.data_received(b"".join(frame(encode(message)) for message in messages))

    async def said(self) -> list[Message]:
        """Return what the connection has sent since it was asked last."""
        for _ in range(3):
            await asyncio.sleep(0)
        try:
            return [decode_message(body) for body in FrameReader(100_000).feed(self.peer.recv(100_000))]
        except BlockingIOError:
            return []

    def welcome(self, window: int = 10) -> bytes:
        """Return the frame that ends the handshake."""
        (hello,) = FrameReader(100_000).feed(self.peer.recv(100_000))
        return frame(ServerHandshake(Introduction("peer", 100_000, window)).receive(hello))

    def calls(self, seconds: float = 50.0) -> "asyncio.Task[bytes]":
        """Begin a call."""
        return asyncio.create_task(self.connection.call("t", "m", b"", seconds))


@pytest.fixture
async def stranger() -> AsyncIterator[Pair]:
    """A connection whose peer has not answered its hello."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    settings = ClientSettings(ping_interval_seconds=3_600)  # it says nothing but what a test has it say
    connection = Connection(loop, "unix:///peer", settings, ClientHandshake("unix:///peer", OWN))
    await loop.create_connection(lambda: connection.link, sock=ours)
    await asyncio.sleep(0)
    yield Pair(connection, theirs)
    connection.close()
    await asyncio.wait_for(connection.wait_closed(), 20)
    theirs.close()


@pytest.fixture
async def pair(stranger: Pair) -> Pair:
    """A connection with one place for calls."""
    stranger.connection.link.data_received(stranger.welcome(window=1))
    await stranger.connection.ready
    return stranger


async def test_before_the_handshake_nobody_calls(stranger: Pair):
    """Neither a call nor a ping is sent to a peer that is not known, and nobody says who it is."""
    connection = stranger.connection
    for attempt in (connection.call("t", "m", b"", 1), connection.ping(1)):
        with pytest.raises(ConnectFailed, match="handshake is not finished") as caught:
            await attempt
        assert caught.value.executed == "no"
    with pytest.raises(ConnectFailed, match="handshake is not finished"):
        _ = connection.peer


async def test_a_welcome_that_comes_as_the_caller_gives_up(stranger: Pair):
    """The attempt stays given up, and the peer is known to whoever looks."""
    stranger.connection.ready.cancel()
    stranger.connection.link.data_received(stranger.welcome())
    assert stranger.connection.ready.cancelled()
    assert stranger.connection.peer.name == "peer"


async def test_a_refusal_that_comes_as_the_caller_gives_up(stranger: Pair):
    """The connection closes; the attempt stays given up."""
    stranger.connection.ready.cancel()
    stranger.connection.link.data_received(frame(encode(Refused("overloaded", "not now"))))
    assert stranger.connection.ready.cancelled()
    assert stranger.connection.link.closing


async def test_a_place_that_comes_with_a_go_away_is_not_used(pair: Pair):
    """Who was handed the freed place hears that the peer takes no new calls, and was not executed."""
    first, second = pair.calls(), pair.calls()
    assert isinstance((await pair.said())[0], Call)
    pair.hears(Result(1, b"one"), GoAway("draining", "maintenance"))
    assert await first == b"one"
    with pytest.raises(PeerShuttingDown, match="maintenance") as caught:
        await second
    assert caught.value.executed == "no"
    assert await pair.said() == []


async def test_a_caller_that_gives_up_as_its_answer_comes(pair: Pair):
    """Nothing is left to cancel at the peer, and the place is free."""
    call = pair.calls()
    await pair.said()
    pair.hears(Result(1, b"one"))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await pair.said() == []
    again = pair.calls()
    assert isinstance((await pair.said())[0], Call)
    pair.hears(Result(2, b"two"))
    assert await again == b"two"


async def test_a_caller_that_gives_up_as_its_deadline_passes(pair: Pair, monkeypatch: pytest.MonkeyPatch):
    """It is cancelled, not timed out, and the peer is told that nobody waits."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    monkeypatch.setattr(loop, "time", lambda: began)
    call = pair.calls(0.9)
    await pair.said()
    mishaps = list[object]()
    loop.set_exception_handler(lambda _, context: mishaps.append(context))
    loop.call_at(began + 0.89, call.cancel)
    monkeypatch.setattr(loop, "time", lambda: began + 0.95)  # both are due in the same turn
    with pytest.raises(asyncio.CancelledError):
        await call
    assert set(await pair.said()) == {Cancel(1)}
    assert mishaps == []


async def test_a_ping_of_a_peer_that_does_not_read_is_not_answered(pair: Pair):
    """Nothing is piled up for it; when it reads again it is answered again."""
    pair.connection.link.pause_writing()
    pair.hears(Ping(1))
    assert (await pair.said(), pair.connection.link.unsent_bytes) == ([], 0)
    pair.connection.link.resume_writing()
    pair.hears(Ping(2))
    assert await pair.said() == [Pong(2, 0, 0)]


async def outcome(waiting: Awaitable[object]) -> object:
    """Return what came of it."""
    (found,) = await asyncio.gather(waiting, return_exceptions=True)
    return found


async def test_a_ping_ends_with_its_connection(pair: Pair):
    """Who waits for the pong hears of the loss; who has it already keeps it."""
    answered, waiting = (asyncio.create_task(pair.connection.ping(50)) for _ in range(2))
    first, _ = await pair.said()
    assert isinstance(first, Ping)
    pair.hears(Pong(first.token, 3, 9))
    pair.connection.link.connection_lost(ConnectionResetError("gone"))
    load = await answered
    assert (load.running, load.limit) == (3, 9)
    assert isinstance(await outcome(waiting), ConnectionLost)
