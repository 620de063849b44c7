"""Valkyrie as the specification has it, read with the standard library alone.

It shares no code with the implementation, on purpose, and imports nothing of Hotplane or msgspec.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import Any

FIELDS: dict[int, tuple[str, list[str]]] = {
    1: (
        "client-hello",
        ["magic", "versions", "name", "agent", "nonce", "authentication", "max_frame", "window", "capabilities"],
    ),
    2: (
        "server-hello",
        [
            "magic",
            "version",
            "versions",
            "name",
            "agent",
            "nonce",
            "authentication",
            "max_frame",
            "window",
            "capabilities",
        ],
    ),
    3: ("proof", ["mac"]),
    4: ("refused", ["code", "message"]),
    16: ("call", ["id", "target", "method", "remaining_ms", "trace", "payload"]),
    17: ("result", ["id", "payload"]),
    18: ("error", ["id", "code", "message", "may_have_run", "exception", "traceback"]),
    19: ("cancel", ["id"]),
    20: ("ping", ["token"]),
    21: ("pong", ["token", "running", "limit"]),
    22: ("go-away", ["code", "message"]),
}


def split_frames(stream: bytes) -> list[bytes]:
    """Return the bodies of a stream that ends with a whole frame."""
    bodies: list[bytes] = []
    while stream:
        (length,) = struct.unpack(">I", stream[:4])
        assert len(stream) >= 4 + length, "the stream ends within a frame"
        bodies.append(stream[4 : 4 + length])
        stream = stream[4 + length :]
    return bodies


def read_message(body: bytes) -> dict[str, Any]:
    """Return a frame's body as a dictionary with its kind; bytes are written as hexadecimal digits."""
    value, end = read_value(body, 0)
    assert end == len(body), "bytes after the message"
    number, *values = value
    kind, names = FIELDS[number]
    fields = {name: item.hex() if isinstance(item, bytes) else item for name, item in zip(names, values, strict=False)}
    return {"kind": kind, **fields}


def expected_proof(secret: bytes, role: str, client_hello: bytes, server_hello: bytes) -> str:
    """Compute a proof from the two hello bodies as the specification's section on authentication says."""
    client_nonce = bytes.fromhex(read_message(client_hello)["nonce"])
    server_nonce = bytes.fromhex(read_message(server_hello)["nonce"])
    covered = b"valkyrie proof " + role.encode("ascii") + b"\x00" + client_nonce + server_nonce
    covered += struct.pack(">I", len(client_hello)) + client_hello
    covered += struct.pack(">I", len(server_hello)) + server_hello
    return hmac.new(secret, covered, hashlib.sha256).hexdigest()


def read_value(data: bytes, at: int) -> tuple[Any, int]:
    """Read one MessagePack value; return it with the position after it."""
    first = data[at]
    at += 1
    if first <= 0x7F:
        return first, at
    if 0x90 <= first <= 0x9F:
        return read_array(data, at, first & 0x0F)
    if 0xA0 <= first <= 0xBF:
        return read_text(data, at, first & 0x1F)
    if first >= 0xE0:
        return first - 256, at
    if first in CONSTANTS:
        return CONSTANTS[first], at
    if first in NUMBERS:
        form = NUMBERS[first]
        return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
    reader, form = SIZED[first]
    size = struct.unpack_from(form, data, at)[0]
    return reader(data, at + struct.calcsize(form), size)


def read_array(data: bytes, at: int, count: int) -> tuple[list[Any], int]:
    """Read that many values."""
    items: list[Any] = []
    for _ in range(count):
        item, at = read_value(data, at)
        items.append(item)
    return items, at


def read_text(data: bytes, at: int, size: int) -> tuple[str, int]:
    """Read that many bytes as UTF-8."""
    return data[at : at + size].decode("utf-8"), at + size


def read_bytes(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    """Read that many bytes."""
    return data[at : at + size], at + size


CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
NUMBERS = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
    0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
SIZED: dict[int, tuple[Any, str]] = {
    0xC4: (read_bytes, ">B"), 0xC5: (read_bytes, ">H"), 0xC6: (read_bytes, ">I"),
    0xD9: (read_text, ">B"), 0xDA: (read_text, ">H"), 0xDB: (read_text, ">I"),
    0xDC: (read_array, ">H"), 0xDD: (read_array, ">I"),
}  # fmt: skip
