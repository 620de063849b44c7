"""Identifiers, and the point on the sampling line that follows from one. Imports only `errors`."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from hashlib import blake2b

from hotplane.errors import InvalidId

__all__ = ["SAMPLING_RANGE", "check_id", "is_uuid7", "new_id", "sampled_at", "sampling_point"]

SAMPLING_RANGE = 2**56
"""Sampling points are integers in [0, 2^56), as in OpenTelemetry's consistent probability sampling."""

_CHUNKS = 256
_LOW_56 = SAMPLING_RANGE - 1
_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62
_RAND_A = 0xFFF << 64
_RAND_B = (1 << 62) - 1
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


def new_id() -> str:
    """Mint a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds and 74 fresh random bits, no counter.

    The low 56 bits are uniform and independent for every id, also for ids minted in one millisecond, so that
    they can serve as the sampling point.
    """
    random = int.from_bytes(_random_bytes())
    milliseconds = time.time_ns() // 1_000_000 & 0xFFFF_FFFF_FFFF
    value = milliseconds << 80 | _VERSION_7 | random & _RAND_A | _VARIANT | random & _RAND_B
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_chunks: deque[bytes] = deque()
os.register_at_fork(after_in_child=_chunks.clear)  # a child must not mint its parent's ids


def _random_bytes() -> bytes:
    """Return 10 bytes of the system's randomness, fetched in blocks: the call costs more than the rest of an id."""
    while True:
        try:
            return _chunks.pop()
        except IndexError:
            block = os.urandom(10 * _CHUNKS)
            _chunks.extend(block[start : start + 10] for start in range(0, len(block), 10))


def is_uuid7(value: str) -> bool:
    """Tell whether `value` is a UUIDv7 in its canonical form, the only form that `new_id` gives."""
    return _UUID7.fullmatch(value) is not None


def sampling_point(execution_id: str, *, minted: bool) -> int:
    """Return R, the execution's place in [0, 2^56).

    Args:
        execution_id: The id.
        minted: Whether a host minted the id with `new_id`. Such an id has 56 random low bits, which are R;
            any other id is hashed (BLAKE2b, 56 bits, big-endian), whatever it looks like.
    """
    if minted:
        return int(execution_id[-15:].replace("-", ""), 16) & _LOW_56
    return int.from_bytes(blake2b(execution_id.encode(), digest_size=7).digest())


def sampled_at(point: int, probability: float) -> bool:
    """Tell whether the point R is sampled at `probability`: R ≥ 2^56·(1-p).

    A higher probability keeps every point that a lower one samples.
    """
    return point >= SAMPLING_RANGE * (1.0 - probability)


def check_id(value: str, what: str = "an id") -> str:
    """Return `value` when it may serve as an id.

    Raises:
        InvalidId: It is empty, too long, or has other characters than ids may have.
    """
    if _ID.fullmatch(value) is None:
        raise InvalidId(value, what)
    return value
