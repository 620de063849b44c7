"""The serving side of one connection until its handshake is done. Imports only this room.

It keeps what a stranger may cost small: a few kilobytes, a few seconds, and one log line.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from hotplane.log import get_logger
from hotplane.valkyrie.failures import ProtocolViolation
from hotplane.valkyrie.frames import HELLO_LIMIT, describe_stranger, looks_foreign
from hotplane.valkyrie.handshake import Introduction, Peer, Refusal, ServerHandshake
from hotplane.valkyrie.link import Link, LinkLimits, Receiver

__all__ = ["Door", "Greeter"]

_log = get_logger(room="valkyrie")
_FIRST_BYTES = 16
_ENOUGH_TO_TELL = 4


class Door(Protocol):
    """What a greeter needs of its server."""

    def arrived(self, greeter: Greeter) -> None:
        """Take note of a new connection."""

    def admit(self, greeter: Greeter, peer: Peer) -> Receiver:
        """Return who talks with the peer from now on; raises Refusal when it cannot be admitted."""
        ...

    def left(self, greeter: Greeter) -> None:
        """Forget a connection whose handshake did not succeed."""


class Greeter:
    """Shakes hands with one client, then hands its link over."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        door: Door,
        introduction: Introduction,
        limits: LinkLimits,
        timeout_seconds: float,
    ) -> None:
        self.link = Link(loop, self, limits, HELLO_LIMIT)
        self._loop = loop
        self._door = door
        self._introduction = introduction
        self._handshake = ServerHandshake(introduction)
        self._timeout = timeout_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._first = b""

    def refuse(self, refusal: Refusal) -> None:
        """Tell the client why, and close."""
        self._stop_timer()
        _log.warning("valkyrie_client_refused", address=self.link.address, code=refusal.code, reason=refusal.message)
        self.link.send(refusal.frame)
        self.link.close(refusal.message)

    def opened(self, link: Link) -> None:  # noqa: ARG002 - the receiver's signature
        """Give the client a limited time to introduce itself."""
        self._timer = self._loop.call_later(self._timeout, self._too_slow)
        self._door.arrived(self)

    def first_bytes(self, data: bytes) -> None:
        """Recognize a client of another kind, and close without a word that it would not understand."""
        if len(self._first) < _FIRST_BYTES:
            self._first = (self._first + data)[:_FIRST_BYTES]
        if looks_foreign(self._first) and len(self._first) >= _ENOUGH_TO_TELL:
            self._turn_away()

    def received(self, bodies: list[memoryview]) -> None:
        """Take the frames of the handshake."""
        for number, body in enumerate(bodies, start=1):
            try:
                answer = self._handshake.receive(body)
                if self._handshake.peer is not None:
                    self._hand_over(self._handshake.peer, answer, bodies[number:])
                    return
            except Refusal as refusal:
                self.refuse(refusal)
                return
            except ProtocolViolation as violation:
                _log.warning("valkyrie_handshake_failed", address=self.link.address, reason=violation.reason)
                raise
            self.link.send(answer)

    def writable(self, yes: bool) -> None:
        """Nothing depends on it: what is sent here fits into any buffer."""

    def lost(self, reason: str) -> None:  # noqa: ARG002 - the receiver's signature
        """Forget the connection."""
        self._stop_timer()
        self._door.left(self)

    def _hand_over(self, peer: Peer, answer: bytes, rest: list[memoryview]) -> None:
        receiver = self._door.admit(self, peer)
        self._stop_timer()
        self.link.receiver = receiver
        self.link.limit_frames(self._introduction.max_frame)
        self.link.send(answer)
        if rest:
            receiver.received(rest)

    def _too_slow(self) -> None:
        self._timer = None
        if self._first:
            self._turn_away()
        else:
            self.refuse(Refusal("timeout", f"no handshake within {self._timeout:g} s"))

    def _turn_away(self) -> None:
        self._stop_timer()
        what = describe_stranger(self._first)
        _log.warning("valkyrie_stranger", address=self.link.address, looks_like=what)
        self.link.close(f"not a Valkyrie client: {what}")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
