"""Cutting a stream of bytes into frames: a 4-byte big-endian length, then that many bytes. Imports nothing of Hotplane.

No memory is set aside for a length that was only announced: a partial frame occupies what has arrived of it, and a
length above the limit is refused as soon as its four bytes are there.
"""

from __future__ import annotations

from struct import Struct

__all__ = ["HEADER", "HELLO_LIMIT", "FrameReader", "describe_stranger", "looks_foreign"]

HEADER = Struct(">I")
"""A frame's header: the body's length in bytes."""
HELLO_LIMIT = 4096
"""The largest body, in bytes, before both sides are known. Every other protocol's first four bytes read as more."""

_STRANGERS = (
    (b"PRI * HTTP/2", "HTTP/2"),
    (b"HTTP/", "HTTP"),
    (b"\x16\x03", "TLS, which this port does not expect"),
    (b"\x15\x03", "TLS, which this port does not expect"),
    (b"SSH-", "SSH"),
    (b"PROXY ", "the PROXY protocol"),
    (b"EHLO", "SMTP"),
    (b"HELO", "SMTP"),
    (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", "PostgreSQL"),
    (b"*", "Redis"),
)
_HTTP_METHODS = (b"GET ", b"POST", b"HEAD", b"PUT ", b"DELE", b"OPTI", b"PATC", b"CONN", b"TRAC")


def looks_foreign(data: bytes) -> bool:
    """Tell whether the first bytes of a connection cannot begin a hello: its length has two leading zero bytes."""
    return data[:2] != b"\0\0"[: len(data)]


def describe_stranger(data: bytes) -> str:
    """Say what the first bytes of a connection look like that are not Valkyrie's."""
    if data[:4] in _HTTP_METHODS:
        return "HTTP"
    for prefix, what in _STRANGERS:
        if data.startswith(prefix):
            return what
    return f"unknown bytes ({data[:12].hex(' ')})"


class FrameReader:
    """Cuts what arrives into frame bodies.

    Attributes:
        limit: The largest body accepted, in bytes; may be changed between calls.
        oversized: The announced length that broke the limit, or 0. Nothing more is read after it.
    """

    __slots__ = ("_held", "_need", "limit", "oversized")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.oversized = 0
        self._held = bytearray()
        self._need = 0

    @property
    def held(self) -> int:
        """How many bytes of an unfinished frame are kept."""
        return len(self._held)

    def feed(self, data: bytes) -> list[memoryview]:
        """Take `data` and return the bodies that are complete now, in order.

        The views are valid for as long as the caller keeps them; bodies that came before an oversized one are
        returned with `oversized` set.
        """
        if self.oversized:
            return []
        if self._held:
            self._held += data
            if len(self._held) < self._need:
                return []
            data = bytes(self._held)
            self._held = bytearray()
        return self._cut(data)

    def _cut(self, data: bytes) -> list[memoryview]:
        view, position, end = memoryview(data), 0, len(data)
        bodies: list[memoryview] = []
        self._need = 4
        while position + 4 <= end:
            (length,) = HEADER.unpack_from(data, position)
            if length > self.limit:
                self.oversized = length
                return bodies
            stop = position + 4 + length
            if stop > end:
                self._need = 4 + length
                break
            bodies.append(view[position + 4 : stop])
            position = stop
        if position < end:
            self._held = bytearray(view[position:])
        return bodies
