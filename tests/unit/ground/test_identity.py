"""Ids, and the point on the sampling line that follows from one."""

from __future__ import annotations

import os
import threading
import time
import uuid
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.errors import InvalidId
from hotplane.identity import SAMPLING_RANGE, check_id, is_uuid7, new_id, sampled_at, sampling_point


def test_an_id_is_a_uuid7_of_now() -> None:
    """Version, variant and milliseconds are as RFC 9562 says."""
    before = time.time_ns() // 1_000_000
    minted = uuid.UUID(new_id())
    assert (minted.version, minted.variant) == (7, uuid.RFC_4122)
    assert before <= minted.int >> 80 <= time.time_ns() // 1_000_000
    assert is_uuid7(str(minted))


def test_ids_of_many_threads_are_distinct() -> None:
    """Eight threads mint at once, and no id comes twice."""
    minted: list[list[str]] = [[] for _ in range(8)]
    threads = [threading.Thread(target=lambda own=own: own.extend(new_id() for _ in range(5000))) for own in minted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [each for own in minted for each in own]
    assert len(set(everything)) == 40_000


def test_a_forked_child_mints_ids_of_its_own() -> None:
    """Randomness fetched before a fork is not used twice."""
    new_id()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, "\n".join(new_id()[-15:] for _ in range(50)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = set(os.read(reading, 65536).decode().split())
    assert theirs.isdisjoint(new_id()[-15:] for _ in range(50))


@given(st.text(max_size=40))
def test_a_foreign_id_is_hashed(name: str) -> None:
    """R of an id that no host minted is the BLAKE2b of its text, 56 bits."""
    encoded = name.encode(errors="replace")
    expected = int.from_bytes(blake2b(encoded, digest_size=7).digest(), "big")
    assert sampling_point(encoded.decode(), minted=False) == expected < SAMPLING_RANGE


def test_a_minted_id_carries_its_point() -> None:
    """R of a minted id is its low 56 bits."""
    for _ in range(100):
        minted = new_id()
        assert sampling_point(minted, minted=True) == uuid.UUID(minted).int % SAMPLING_RANGE


@given(st.integers(0, SAMPLING_RANGE - 1), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_rate_keeps_what_a_lower_one_sampled(point: int, one: float, other: float) -> None:
    """Sampling is monotone in the probability; 0 samples nothing and 1 everything."""
    low, high = sorted((one, other))
    assert sampled_at(point, high) or not sampled_at(point, low)
    assert sampled_at(point, 1.0)
    assert not sampled_at(point, 0.0)


@pytest.mark.parametrize("value", ["", " ", "a b", "a/b", ".a", "é", "a" * 129, "a\n"])
def test_bad_ids_are_refused_by_name(value: str) -> None:
    """An id can stand in a path: letters, digits and a few marks, not too long."""
    with pytest.raises(InvalidId, match="cannot be a task's id"):
        check_id(value, "a task's id")
    assert check_id("a.b_c:d-1") == "a.b_c:d-1"
