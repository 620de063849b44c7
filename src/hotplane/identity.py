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

_BLOCK = 256
_LOW_56 = SAMPLING_RANGE - 1
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""The digit that holds the variant, bits 10, and two random bits, by a random digit."""
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


def new_id() -> str:
    """Mint a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds and 74 fresh random bits, no counter.

    The low 56 bits are uniform and independent for every id, also for ids minted in one millisecond, so that
    they can serve as the sampling point.
    """
    global _latest  # noqa: PLW0603 - one tuple, replaced as a whole, so that threads need no lock
    milliseconds = time.time_ns() // 1_000_000
    known, head = _latest
    if milliseconds != known:
        text = f"{milliseconds & 0xFFFF_FFFF_FFFF:012x}"
        head = f"{text[:8]}-{text[8:]}-7"
        _latest = milliseconds, head
    while True:
        try:
            return head + _tails.pop()
        except IndexError:
            _tails.extend(_random_tails())


_latest: tuple[int, str] = (0, "")
"""A millisecond, and how its ids begin."""
_tails: deque[str] = deque()
os.register_at_fork(after_in_child=_tails.clear)  # a child must not mint its parent's ids


def _random_tails() -> list[str]:
    """Return what follows the version's digit in a block of ids: asking for randomness costs more than an id does."""
    block = os.urandom(10 * _BLOCK).hex()
    chunks = [block[start : start + 20] for start in range(0, len(block), 20)]
    return [f"{each[:3]}-{_VARIANTS[each[3]]}{each[4:7]}-{each[7:19]}" for each in chunks]


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
