"""The calling side of one connection: many calls at once, each answered once. Imports only this room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hotplane.valkyrie.failures import (
    ConnectFailed,
    ConnectionLost,
    PeerShuttingDown,
    ProtocolViolation,
    ValkyrieError,
)
from hotplane.valkyrie.frames import HELLO_LIMIT, describe_stranger, looks_foreign
from hotplane.valkyrie.handshake import ClientHandshake, Peer
from hotplane.valkyrie.link import Link
from hotplane.valkyrie.messages import (
    MALFORMED,
    MAX_REMAINING_MS,
    Error,
    GoAway,
    Message,
    Ping,
    Pong,
    Result,
    decode_message,
    encode,
)
from hotplane.valkyrie.opencalls import ConnectionCounters, OpenCalls
from hotplane.valkyrie.pings import PeerLoad, Pings
from hotplane.valkyrie.settings import ClientSettings
from hotplane.valkyrie.timing import Liveness
from hotplane.valkyrie.translation import failure_of
from hotplane.valkyrie.window import Window

__all__ = ["Connection"]

_MAX_SECONDS = MAX_REMAINING_MS / 1000


class Connection:
    """A connection on which calls may be made; `hotplane.valkyrie.connect` makes it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        endpoint: str,
        settings: ClientSettings,
        handshake: ClientHandshake,
    ) -> None:
        self.endpoint = endpoint
        self.ready: asyncio.Future[Peer] = loop.create_future()
        """Done when calls may be made."""
        self.ready.add_done_callback(_retrieve)
        self.on_draining: Callable[[Connection], None] | None = None
        """Called once when the peer takes no new calls any more, or is gone."""
        self._loop = loop
        self._handshake = handshake
        self._peer: Peer | None = None
        self._usable = False
        self._draining = ""
        self._lost = ""
        self._closed: asyncio.Future[None] = loop.create_future()
        self._max_frame = settings.max_frame_bytes
        self._max_sent = settings.max_buffered_bytes
        self._window = Window(loop, 1, settings.max_waiting)
        self.link = link = Link(loop, self, settings, settings.max_frame_bytes)
        """The transport's side; for `connect` and tests."""
        self._pings = Pings(loop, link)
        self._calls = OpenCalls(loop, link, self._window)
        self._liveness = Liveness(
            loop,
            interval=settings.ping_interval_seconds,
            misses=settings.ping_misses,
            busy=lambda: bool(self._calls),
            ping=self._pings.send,
            lost=link.abort,
            signs=lambda: (link.frames_in, link.bytes_in, link.unsent_bytes),
        )

    # --- for callers ---

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""
        if self._peer is None:
            raise ConnectFailed(self.endpoint, "the handshake is not finished")
        return self._peer

    @property
    def counters(self) -> ConnectionCounters:
        """What happened since the connection was made."""
        return self._calls.counters

    @property
    def usable(self) -> bool:
        """Whether new calls may be made."""
        return self._usable and not self.link.closing

    @property
    def draining(self) -> bool:
        """Whether the peer has asked for no more calls."""
        return bool(self._draining)

    @property
    def in_flight(self) -> int:
        """How many calls the peer has not answered, those included that their caller has given up."""
        return len(self._calls)

    async def call(
        self, target: str, method: str, payload: bytes, deadline_seconds: float, trace: str | None = None
    ) -> bytes:
        """Run a method of a target at the peer.

        Args:
            target: What to call: a program, or a plugin's id.
            method: What to do with it.
            payload: The arguments, opaque to the protocol.
            deadline_seconds: Seconds from now after which no answer is wanted.
            trace: W3C `traceparent`.

        Returns:
            What the method returned, opaque to the protocol.

        Raises:
            CallFailed: The peer, or this side for it, says why there is no result.
            ConnectionLost: The connection broke before the answer.
        """
        deadline = self._loop.time() + min(deadline_seconds, _MAX_SECONDS)
        if not self._usable or self.link.closing:
            raise self._unusable()
        if not self._window.try_take():
            await self._window.take(deadline)
        try:
            if not self._usable or self.link.closing:
                raise self._unusable()
            call_id, future = self._calls.start(target, method, payload, deadline, trace)
        except BaseException:
            self._window.give_back()
            raise
        if not self._liveness.running:
            self._liveness.start()
        try:
            return await future
        except asyncio.CancelledError:
            self._calls.give_up(call_id)
            raise

    async def ping(self, timeout_seconds: float) -> PeerLoad:
        """Ask the peer for a sign of life and its load.

        Raises:
            DeadlineExceeded: It did not answer in time.
            ConnectionLost: The connection is gone.
        """
        if self.link.closing or self._peer is None:
            raise self._unusable()
        return await self._pings.ask(timeout_seconds)

    async def drain(self) -> None:
        """Make no new calls, wait for the answers of those that are open, then close."""
        self._stop_calls("this side closes the connection")
        await self.wait_closed()

    def close(self) -> None:
        """Close at once; open calls fail."""
        self.link.abort("this side closed it")

    async def wait_closed(self) -> None:
        """Wait until the connection is gone."""
        await asyncio.shield(self._closed)

    # --- parts ---

    def _unusable(self) -> ValkyrieError:
        if self._peer is None:
            return ConnectFailed(self.endpoint, "the handshake is not finished")
        if self._draining and not self._lost:
            return PeerShuttingDown(f"{self.endpoint} takes no new calls: {self._draining}")
        return ConnectionLost(self.endpoint, self._lost or "it is being closed", executed="no")

    def _stop_calls(self, reason: str) -> None:
        if self._draining:
            return
        self._draining = reason
        self._usable = False
        self._window.refuse_all(self._unusable)
        if self.on_draining is not None:
            self.on_draining(self)
        self._close_when_drained()

    def _close_when_drained(self) -> None:
        if not self._calls:
            self.link.close(self._draining)

    # --- from the link ---

    def opened(self, link: Link) -> None:
        """Begin the handshake."""
        link.limit_frames(HELLO_LIMIT)
        link.send(self._handshake.hello)

    def first_bytes(self, data: bytes) -> None:
        """Recognize a server of another kind."""
        if looks_foreign(data):
            self.link.abort(f"this is not a Valkyrie server; it looks like {describe_stranger(data)}")

    def received(self, bodies: list[memoryview]) -> None:
        """Take frames."""
        for body in bodies:
            if self._peer is None:
                self._greet(body)
                continue
            try:
                message = decode_message(body)
            except MALFORMED as error:
                raise ProtocolViolation(f"a malformed frame ({error})") from None
            if type(message) is Result:
                self._calls.end(message.id, message.payload)
            else:
                self._take(message)
        if self._draining:
            self._close_when_drained()

    def writable(self, yes: bool) -> None:
        """Hold new calls while the peer does not read."""
        self._window.closed = not yes
        self._window.wake()

    def lost(self, reason: str) -> None:
        """Fail what is open."""
        self._lost = reason
        self._usable = False
        self._liveness.stop()
        self._calls.fail(self.endpoint, reason)
        self._pings.fail(self._unusable)
        self._window.refuse_all(self._unusable)
        if not self.ready.done():
            self.ready.set_exception(ConnectFailed(self.endpoint, reason))
        self._closed.set_result(None)
        if self.on_draining is not None and not self._draining:
            self.on_draining(self)

    def _greet(self, body: memoryview) -> None:
        try:
            answer = self._handshake.receive(body)
        except ConnectFailed as failure:
            if not self.ready.done():
                self.ready.set_exception(failure)
            self.link.close(failure.reason)
            return
        if answer is not None:
            self.link.send(answer)
        peer = self._handshake.peer
        if peer is not None:
            self._begin(peer)

    def _begin(self, peer: Peer) -> None:
        self._peer = peer
        self._usable = True
        self._calls.max_body = min(peer.max_frame, self._max_sent)
        self._window.size = peer.window
        self.link.limit_frames(self._max_frame)
        if not self.ready.done():
            self.ready.set_result(peer)

    def _take(self, message: Message) -> None:
        match message:
            case Error():
                self._calls.end(message.id, failure_of(message))
            case Pong():
                self._pings.take(message)
            case Ping(token):
                if not self.link.paused:
                    self.link.send(encode(Pong(token)))
            case GoAway("draining", text):
                self._stop_calls(text)
            case GoAway(code, text):
                self.link.close(f"the peer closed it ({code}): {text}")
            case _:
                raise ProtocolViolation(f"a server must not send {type(message).__name__}")


def _retrieve(ready: asyncio.Future[Peer]) -> None:
    # An attempt to connect that was given up has nobody left who would ask for its failure.
    if not ready.cancelled():
        ready.exception()
