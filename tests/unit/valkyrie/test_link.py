"""One transport: what a link sends, holds back and cuts, over a pair of real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from hotplane.valkyrie import ClientSettings
from hotplane.valkyrie.failures import ProtocolViolation
from hotplane.valkyrie.frames import HEADER
from hotplane.valkyrie.link import Link
from hotplane.valkyrie.messages import GoAway, decode_message
from tests.integration.valkyrie.conftest import until


class Owner:
    """Notes what its link tells it."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.on_first: Callable[[Link], None] | None = None
        self.on_received: Callable[[], None] | None = None
        self.link: Link | None = None
        self.gone = asyncio.Event()

    def opened(self, link: Link) -> None:
        self.link = link
        self.told.append("opened")

    def first_bytes(self, data: bytes) -> None:
        if self.on_first is not None and self.link is not None:
            self.on_first(self.link)

    def received(self, bodies: list[memoryview]) -> None:
        self.told += [bytes(body).decode() for body in bodies]
        if self.on_received is not None:
            self.on_received()

    def writable(self, yes: bool) -> None:
        self.told.append(f"writable={yes}")

    def lost(self, reason: str) -> None:
        self.told.append(f"lost: {reason}")
        self.gone.set()


def link_of(owner: Owner, **limits: float) -> Link:
    """Return a link that has no transport yet."""
    settings = ClientSettings.model_validate({"write_high_water_bytes": 1024, "max_buffered_bytes": 4096, **limits})
    return Link(asyncio.get_running_loop(), owner, settings, 1000)


class Pair:
    """A link and the plain socket at its other end."""

    def __init__(self, link: Link, owner: Owner, peer: socket.socket) -> None:
        self.link = link
        self.owner = owner
        self.peer = peer

    async def sends(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.peer, data)

    async def reads(self) -> bytes:
        """Return everything until the link closes."""
        found = b""
        async with asyncio.timeout(20):
            while piece := await asyncio.get_running_loop().sock_recv(self.peer, 65536):
                found += piece
        return found

    async def end(self) -> str:
        """Return the last that the owner was told."""
        async with asyncio.timeout(20):
            await self.owner.gone.wait()
        return self.owner.told[-1]


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """A link over a pair of sockets."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    owner = Owner()
    link = link_of(owner)
    await asyncio.get_running_loop().create_connection(lambda: link, sock=ours)
    yield Pair(link, owner, theirs)
    link.abort("the test is over")
    await asyncio.sleep(0)
    theirs.close()


def frame(text: str) -> bytes:
    """Return a frame."""
    return HEADER.pack(len(text)) + text.encode()


async def test_frames_of_one_turn_leave_together(pair: Pair):
    """A large one does not wait for the others."""
    for text in ("one", "two"):
        pair.link.send(text.encode())
    assert pair.link.flushes == 0
    pair.link.send(b"x" * 2000)
    assert (pair.link.flushes, pair.link.unsent_bytes) == (1, 0)
    pair.link.close("done")
    assert await pair.reads() == frame("one") + frame("two") + frame("x" * 2000)
    assert await pair.end() == "lost: done"


async def test_nothing_is_said_after_the_end(pair: Pair):
    """Closing twice, sending and reading on a link that closes do nothing; the first reason counts."""
    pair.link.close("first")
    pair.link.close("second")
    pair.link.send(b"late")
    pair.link.pause_reading()
    pair.link.resume_reading()
    pair.link.data_received(frame("late"))
    assert await pair.reads() == b""
    assert await pair.end() == "lost: first"
    pair.link.connection_lost(OSError("again"))
    assert pair.owner.told == ["opened", "lost: first"]


async def test_reading_stops_and_goes_on(pair: Pair):
    """Also when it is asked for twice."""
    for _ in range(2):
        pair.link.pause_reading()
    await pair.sends(frame("one"))
    await asyncio.sleep(0.02)  # long enough for it to arrive, were it read
    assert pair.owner.told == ["opened"]
    for _ in range(2):
        pair.link.resume_reading()
    await until(lambda: "one" in pair.owner.told)


async def test_first_bytes_may_end_it_all(pair: Pair):
    """What stands behind them is not read."""
    pair.owner.on_first = lambda link: link.abort("a stranger")
    await pair.sends(frame("one"))
    assert await pair.end() == "lost: a stranger"
    assert "one" not in pair.owner.told


async def test_an_owner_that_sees_a_violation_has_it_told(pair: Pair):
    """The peer gets a reason before the end."""

    def refuse() -> None:
        raise ProtocolViolation("not like that")

    pair.owner.on_received = refuse
    await pair.sends(frame("one"))
    said = await pair.reads()
    assert decode_message(memoryview(said[4:])) == GoAway("protocol-error", "not like that")
    assert await pair.end() == "lost: not like that"


async def test_a_peer_that_does_not_read_is_cut_off_when_too_much_waits(pair: Pair):
    """The owner is told first, so that it can hold back."""
    pair.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for _ in range(2000):
        pair.link.send(b"x" * 2000)
    assert "writable=False" in pair.owner.told
    assert (await pair.end()).startswith("lost: the peer does not read: more than 4096 bytes")


async def test_a_peer_that_catches_up_stays(pair: Pair):
    """The stall that was measured is forgotten."""
    pair.link.pause_writing()
    pair.link.resume_writing()
    pair.link.resume_writing()
    assert pair.owner.told == ["opened", "writable=False", "writable=True", "writable=True"]
    assert not pair.link.closing


async def test_a_stall_ends_the_connection():
    """A peer may refuse to read for some time only."""
    ours, theirs = socket.socketpair()
    owner = Owner()
    link = link_of(owner, stall_seconds=0.05)
    await asyncio.get_running_loop().create_connection(lambda: link, sock=ours)
    link.pause_writing()
    link.pause_writing()
    async with asyncio.timeout(20):
        await owner.gone.wait()
    assert owner.told[-1] == "lost: the peer has not read for 0.05 s"
    theirs.close()


async def test_before_there_is_a_transport_nothing_can_be_said():
    """Closing gives up the TLS handshake that is under way; a transport that comes too late is cut."""
    owner, given_up = Owner(), list[str]()
    link = link_of(owner)
    link.pause_reading()
    link.resume_reading()
    assert link.begin_upgrade("somewhere", lambda: given_up.append("given up"))
    link.send(b"too early")
    link.close("enough")
    assert (given_up, link.unsent_bytes, link.address) == (["given up"], 0, "somewhere")
    ours, theirs = socket.socketpair()
    await asyncio.get_running_loop().create_connection(lambda: link, sock=ours)
    async with asyncio.timeout(20):
        await owner.gone.wait()
    assert owner.told == ["opened", "lost: enough"]
    theirs.close()


async def test_a_link_that_never_opened_closes_quietly():
    """Nobody has to be told anything."""
    owner = Owner()
    for end in ("close", "abort"):
        link = link_of(owner)
        getattr(link, end)("given up")
        assert link.closing
    assert owner.told == []
