"""The serving side of one connection after its handshake: every call is answered once. Imports only this room."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from math import inf
from typing import Protocol, TypeAlias

from hotplane.log import get_logger
from hotplane.valkyrie.failures import (
    CallCancelled,
    CallFailed,
    DeadlineExceeded,
    Executed,
    PeerOverloaded,
    PeerShuttingDown,
    ProtocolViolation,
    TooLarge,
)
from hotplane.valkyrie.handshake import Peer
from hotplane.valkyrie.link import Link
from hotplane.valkyrie.messages import (
    MALFORMED,
    Call,
    Cancel,
    GoAway,
    Message,
    Ping,
    Pong,
    Result,
    decode_message,
    encode,
)
from hotplane.valkyrie.settings import ServerSettings
from hotplane.valkyrie.timing import Deadlines
from hotplane.valkyrie.translation import error_body

__all__ = ["Handler", "Host", "Session"]

Handler: TypeAlias = Callable[[Call], "bytes | Awaitable[bytes]"]
"""Serves a call. What returns bytes at once is answered without a task; anything awaited runs in a task of its own."""

_log = get_logger(room="valkyrie")


class Host(Protocol):
    """What a session needs of its server.

    Attributes:
        running: Calls that run now, over all sessions; the sessions count it up and down.
        draining: Whether new calls are refused.
        late_answers: Answers whose client was gone; the sessions count it up.
    """

    running: int
    draining: bool
    late_answers: int

    def ended(self, session: Session) -> None:
        """Forget a session."""


class _Running:
    """A call that runs in a task."""

    __slots__ = ("deadline", "ended", "started", "task")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.started = False
        self.ended: type[CallFailed] | None = None
        self.task: asyncio.Task[None] | None = None

    def end(self, why: type[CallFailed]) -> None:
        """Ask the call to stop; what it answers is decided by the first reason.

        A task that was cancelled before its first step would never run at all, and so never answer.
        """
        if self.ended is None:
            self.ended = why
            if self.started and self.task is not None:
                self.task.cancel()


class Session:
    """One client's calls."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        host: Host,
        handler: Handler,
        settings: ServerSettings,
        *,
        link: Link,
        peer: Peer,
    ) -> None:
        self.link = link
        self.peer = peer
        self._loop = loop
        self._host = host
        self._handler = handler
        self._settings = settings
        self._max_body = min(peer.max_frame, settings.max_buffered_bytes)
        self._running: dict[int, _Running] = {}
        self._deadlines = Deadlines(loop, self._expire)
        self._linger: asyncio.TimerHandle | None = None
        self._closes_when_idle = False

    def drain(self) -> None:
        """Ask the client for no more calls; it closes when all are answered, or else this side does."""
        self.link.send(encode(GoAway("draining", "the server is shutting down")))
        self._linger = self._loop.call_later(self._settings.linger_seconds, self._close_when_idle)

    def stop(self) -> None:
        """Cancel what runs; it is answered as shutting down, but may have run."""
        for running in self._running.values():
            running.end(PeerShuttingDown)

    # --- from the link ---

    def opened(self, link: Link) -> None:
        """Do nothing: a session begins with an open link."""

    def first_bytes(self, data: bytes) -> None:
        """Do nothing: they came before the session."""

    def received(self, bodies: list[memoryview]) -> None:
        """Take frames."""
        for body in bodies:
            try:
                message = decode_message(body)
            except MALFORMED as error:
                raise ProtocolViolation(f"a malformed frame ({error})") from None
            if type(message) is Call:
                self._begin(message)
            else:
                self._take(message)

    def writable(self, yes: bool) -> None:
        """Take no more calls from a client that does not read its answers."""
        if yes:
            self.link.resume_reading()
        else:
            self.link.pause_reading()

    def lost(self, reason: str) -> None:
        """Cancel what runs: nobody waits for it."""
        if self._linger is not None:
            self._linger.cancel()
        self._deadlines.stop()
        for running in self._running.values():
            running.end(CallCancelled)
        self._host.ended(self)
        _log.debug("valkyrie_connection_ended", peer=self.peer.name, address=self.link.address, reason=reason)

    # --- calls ---

    def _begin(self, call: Call) -> None:
        host, settings = self._host, self._settings
        if call.id in self._running:
            raise ProtocolViolation(f"the call id {call.id} is in use")
        if host.draining:
            self._answer_failure(call.id, PeerShuttingDown())
        elif len(self._running) >= settings.window:
            self._answer_failure(call.id, PeerOverloaded(f"the connection's window is {settings.window} calls"))
        elif host.running >= settings.max_calls:
            self._answer_failure(call.id, PeerOverloaded(f"{host.running} calls run, which is all the server takes"))
        elif not call.remaining_ms:
            self._answer_failure(call.id, DeadlineExceeded("no time was left when the call arrived", executed="no"))
        else:
            self._run(call)

    def _run(self, call: Call) -> None:
        try:
            outcome = self._handler(call)
        except Exception as failure:
            self._answer_exception(call, failure)
            return
        if isinstance(outcome, bytes):
            self._answer(call.id, outcome)
            return
        deadline = self._loop.time() + call.remaining_ms / 1000
        self._running[call.id] = running = _Running(deadline)
        self._host.running += 1
        self._deadlines.add(deadline)
        running.task = self._loop.create_task(self._finish(call, outcome, running))

    async def _finish(self, call: Call, outcome: Awaitable[bytes], running: _Running) -> None:
        running.started = True
        try:
            if running.ended is not None:
                _discard(outcome)
                self._answer_failure(call.id, _ended(running, "no"))
                return
            payload = await outcome
            if type(payload) is not bytes:
                raise TypeError(f"the handler returned {type(payload).__name__}, not bytes")
            self._answer(call.id, payload)
        except asyncio.CancelledError:
            self._answer_failure(call.id, _ended(running, "maybe"))
        except Exception as failure:
            self._answer_exception(call, failure)
        finally:
            del self._running[call.id]
            self._host.running -= 1
            if self._closes_when_idle:
                self._close_when_idle()

    def _answer(self, call_id: int, payload: bytes) -> None:
        body = encode(Result(call_id, payload))
        if len(body) <= self._max_body:
            self._send(body)
        else:
            text = f"the result has {len(body)} bytes; at most {self._max_body} can be sent to this client"
            self._answer_failure(call_id, TooLarge(text, executed="maybe"))

    def _answer_exception(self, call: Call, failure: Exception) -> None:
        if not isinstance(failure, CallFailed):
            _log.error("valkyrie_handler_failed", target=call.target, method=call.method, exc_info=failure)
        self._answer_failure(call.id, failure)

    def _answer_failure(self, call_id: int, failure: Exception) -> None:
        self._send(error_body(call_id, failure, self._max_body))

    def _send(self, body: bytes) -> None:
        if self.link.closing:
            self._host.late_answers += 1
        else:
            self.link.send(body)

    def _take(self, message: Message) -> None:
        match message:
            case Cancel(call_id):
                running = self._running.get(call_id)
                if running is not None:
                    running.end(CallCancelled)
            case Ping(token):
                self.link.send(encode(Pong(token, self._host.running, self._settings.max_calls)))
            case Pong():
                return
            case GoAway(code, text):
                self.link.close(f"the client closed it ({code}): {text}")
            case _:
                raise ProtocolViolation(f"a client must not send {type(message).__name__}")

    def _expire(self, now: float) -> float:
        earliest = inf
        for running in self._running.values():
            if running.deadline <= now:
                running.end(DeadlineExceeded)
            else:
                earliest = min(earliest, running.deadline)
        return earliest

    def _close_when_idle(self) -> None:
        self._closes_when_idle = True
        if not self._running:
            self.link.close("the server is shutting down")


def _ended(running: _Running, executed: Executed) -> CallFailed:
    return (running.ended or CallCancelled)(executed=executed)


def _discard(outcome: Awaitable[bytes]) -> None:
    if isinstance(outcome, asyncio.Future):
        outcome.cancel()
    elif isinstance(outcome, Coroutine):
        outcome.close()
