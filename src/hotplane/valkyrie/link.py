"""One transport: frames in, frames out, many of them in one write; nothing grows without limit.

Both sides use it; what the frames mean is the receiver's business. Imports only this room's ground floor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from hotplane.valkyrie.failures import ProtocolViolation
from hotplane.valkyrie.frames import HEADER, FrameReader
from hotplane.valkyrie.messages import GoAway, encode

__all__ = ["Link", "LinkLimits", "Receiver"]


class LinkLimits(Protocol):
    """The part of the settings that a link reads."""

    @property
    def write_high_water_bytes(self) -> int:
        """Unsent bytes from which on the owner is told to hold back."""
        ...

    @property
    def max_buffered_bytes(self) -> int:
        """Unsent bytes from which on the connection is cut."""
        ...

    @property
    def stall_seconds(self) -> float:
        """How long the peer may refuse to read."""
        ...


class Receiver(Protocol):
    """What a link tells its owner; each method is called on the loop and must not block."""

    def opened(self, link: Link) -> None:
        """The transport is there."""

    def received(self, bodies: list[memoryview]) -> None:
        """Complete frames arrived; raises ProtocolViolation to end the connection."""

    def first_bytes(self, data: bytes) -> None:
        """Bytes arrived before the first whole frame; may close the link when they cannot become one."""

    def writable(self, yes: bool) -> None:
        """The peer reads again, or has stopped to."""

    def lost(self, reason: str) -> None:
        """The connection is gone; called once, last."""


class Link(asyncio.Protocol):
    """The asyncio protocol.

    Attributes:
        frames_in: How many frames have arrived.
        address: Where the peer is, for the log.
        bytes_in: How many bytes have arrived.
        receiver: Who is told what arrives; may be replaced when a part of the conversation is over.
        paused: Whether the peer reads too slowly at the moment.
        closing: Whether nothing more can be sent.
        flushes: How often queued frames were handed to the transport.
    """

    __slots__ = (
        "_cancel_upgrade", "_chunks", "_corked", "_ended", "_flush_scheduled", "_high_water", "_limits",
        "_loop", "_reader", "_reason", "_size", "_stall", "_transport", "address", "bytes_in", "closing",
        "flushes", "frames_in", "paused", "receiver",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, receiver: Receiver, limits: LinkLimits, max_frame: int) -> None:
        self.frames_in = 0
        self.bytes_in = 0
        self.paused = False
        self.closing = False
        self.flushes = 0
        self.address = "a Unix socket"
        self._cancel_upgrade: Callable[[], object] | None = None
        self._loop = loop
        self.receiver = receiver
        self._limits = limits
        self._high_water = limits.write_high_water_bytes
        self._reader = FrameReader(max_frame)
        self._transport: asyncio.Transport | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        self._corked = self._ended = False
        self._flush_scheduled = False
        self._stall: asyncio.TimerHandle | None = None
        self._reason = ""

    # --- towards the owner ---

    @property
    def transport(self) -> asyncio.Transport | None:
        """The transport, once it is there."""
        return self._transport

    @property
    def unsent_bytes(self) -> int:
        """How much waits to be sent, here and in the transport."""
        return self._size + (self._transport.get_write_buffer_size() if self._transport else 0)

    def limit_frames(self, max_frame: int) -> None:
        """Change the largest frame that is accepted."""
        self._reader.limit = max_frame

    def send(self, body: bytes) -> None:
        """Queue a frame; the frames of one turn of the loop leave in one write, or in several when they are many."""
        if self.closing:
            return
        self._chunks.append(HEADER.pack(len(body)))
        self._chunks.append(body)
        self._size += len(body) + 4
        if self._size >= self._high_water:
            self._flush()
        elif not (self._corked or self._flush_scheduled):
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def pause_reading(self) -> None:
        """Take no more frames until `resume_reading`."""
        if self._transport is not None and not self.closing and self._transport.is_reading():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take frames again."""
        if self._transport is not None and not self.closing and not self._transport.is_reading():
            self._transport.resume_reading()

    def close(self, reason: str) -> None:
        """Send what is queued, then close; a peer that does not take it within the stall limit is cut off."""
        if self.closing:
            return
        self._reason = self._reason or reason
        if self._cancel_upgrade is not None:
            self.abort(reason)  # before TLS there are no words for it
            return
        self._flush()
        self.closing = True
        if self._transport is not None:
            self._transport.close()
            self._watch_stall()

    def abort(self, reason: str) -> None:
        """Cut the connection at once."""
        self._reason = self._reason or reason
        self.closing = True
        self._chunks.clear()
        self._size = 0
        if self._transport is not None:
            self._transport.abort()
        elif self._cancel_upgrade is not None:
            self._cancel_upgrade()

    def fail(self, reason: str) -> None:
        """Tell the peer that it broke the protocol, and close."""
        self.send(encode(GoAway("protocol-error", reason)))
        self.close(reason)

    # --- towards the transport ---

    def begin_upgrade(self, address: str, cancel: Callable[[], object]) -> bool:
        """Count as open while the TLS handshake runs.

        Args:
            address: Where the peer is.
            cancel: Ends the TLS handshake.

        Returns:
            Whether to go on: the owner may refuse the connection.
        """
        self.address = address
        self._cancel_upgrade = cancel
        self.receiver.opened(self)
        return not self.closing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._high_water)
        if self.closing:
            self._transport.abort()
            return
        address: object = self._transport.get_extra_info("peername")
        if isinstance(address, tuple):
            self.address = f"{address[0]}:{address[1]}"
        if self._cancel_upgrade is None:
            self.receiver.opened(self)
        self._cancel_upgrade = None

    def data_received(self, data: bytes) -> None:
        """Cut what arrived into frames and hand them on."""
        if self.closing:
            return
        self.bytes_in += len(data)
        self._corked = True
        try:
            if not self.frames_in:
                self.receiver.first_bytes(data)
                if self.closing:
                    return
            bodies = self._reader.feed(data)
            if bodies:
                self.frames_in += len(bodies)
                self.receiver.received(bodies)
            if self._reader.oversized and not self.closing:
                raise ProtocolViolation(
                    f"a frame of {self._reader.oversized} bytes; at most {self._reader.limit} are accepted"
                )
        except ProtocolViolation as violation:
            self.fail(violation.reason)
        finally:
            self._corked = False
            if self._chunks:
                self._flush()

    def pause_writing(self) -> None:
        """Note that the peer reads too slowly."""
        self.paused = True
        self._watch_stall()
        self.receiver.writable(False)

    def resume_writing(self) -> None:
        """Note that the peer has caught up."""
        self.paused = False
        if self._stall is not None and not self.closing:
            self._stall.cancel()
            self._stall = None
        self.receiver.writable(True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on, once, why the connection ended."""
        if self._ended:
            return
        self._ended = self.closing = True
        if self._stall is not None:
            self._stall.cancel()
        self._chunks.clear()
        reason = self._reason or (f"{type(exc).__name__}: {exc}" if exc else "the peer closed it")
        self.receiver.lost(reason)

    def _flush(self) -> None:
        self._flush_scheduled = False
        transport = self._transport
        if not self._chunks or transport is None or self.closing:
            return
        chunks, self._chunks, self._size = self._chunks, [], 0
        self.flushes += 1
        transport.writelines(chunks)
        if self.paused and transport.get_write_buffer_size() > self._limits.max_buffered_bytes:
            self.abort(f"the peer does not read: more than {self._limits.max_buffered_bytes} bytes wait for it")

    def _watch_stall(self) -> None:
        if self._stall is None:
            limit = self._limits.stall_seconds
            self._stall = self._loop.call_later(limit, self.abort, f"the peer has not read for {limit:g} s")
