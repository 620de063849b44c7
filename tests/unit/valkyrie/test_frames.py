"""Frames are cut the same however the bytes arrive, and nothing large is believed."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.valkyrie.frames import HEADER, FrameReader, describe_stranger, looks_foreign

bodies = st.lists(st.binary(max_size=300), max_size=12)


def framed(*parts: bytes) -> bytes:
    """Return the stream of these bodies."""
    return b"".join(HEADER.pack(len(part)) + part for part in parts)


@given(bodies, st.lists(st.integers(min_value=0, max_value=4000), max_size=20))
def test_any_split_gives_the_same_frames(parts: list[bytes], cuts: list[int]):
    """Wherever the stream is cut, the same bodies come out in the same order."""
    stream = framed(*parts)
    reader, out = FrameReader(1000), []
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, stop in pairwise(edges):
        out += [bytes(body) for body in reader.feed(stream[start:stop])]
    assert out == parts
    assert reader.held == 0


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_every_single_cut_gives_the_same_frames(first: bytes, second: bytes):
    """Two frames cut once, at each byte in turn, come out whole."""
    stream = framed(first, second)
    for cut in range(len(stream) + 1):
        reader = FrameReader(100)
        out = [*map(bytes, reader.feed(stream[:cut])), *map(bytes, reader.feed(stream[cut:]))]
        assert out == [first, second]


def test_one_byte_at_a_time():
    """A frame may arrive byte by byte."""
    reader = FrameReader(100)
    out = [bytes(body) for byte in framed(b"slowly", b"") for body in reader.feed(bytes([byte]))]
    assert out == [b"slowly", b""]


def test_oversized_length_is_refused_by_its_header_alone():
    """Four bytes are enough to refuse a frame; nothing is kept for it."""
    reader = FrameReader(100)
    assert reader.feed(HEADER.pack(101)) == []
    assert reader.oversized == 101
    assert reader.held == 0


def test_frames_before_an_oversized_one_are_delivered():
    """What came whole before the offence still counts."""
    reader = FrameReader(10)
    assert [bytes(body) for body in reader.feed(framed(b"good", b"x" * 11))] == [b"good"]
    assert reader.oversized == 11
    assert reader.feed(framed(b"more")) == []


def test_the_limit_itself_is_allowed():
    """A body as large as the limit passes."""
    reader = FrameReader(10)
    assert [bytes(body) for body in reader.feed(framed(b"x" * 10))] == [b"x" * 10]


def test_a_truncated_frame_keeps_only_what_came():
    """Half a frame occupies its half, not its announced length."""
    reader = FrameReader(2**31)
    assert reader.feed(HEADER.pack(2**30) + b"abc") == []
    assert reader.held == 7


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"GET / HTTP/1.1\r\n", "HTTP"),
        (b"POST /x HTTP/1.1", "HTTP"),
        (b"PRI * HTTP/2.0\r\n", "HTTP/2"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", "TLS, which this port does not expect"),
        (b"SSH-2.0-OpenSSH_9", "SSH"),
        (b"*1\r\n$4\r\nPING\r\n", "Redis"),
        (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", "PostgreSQL"),
        (b"\xde\xad\xbe\xef", "unknown bytes (de ad be ef)"),
    ],
)
def test_strangers_are_named(data: bytes, what: str):
    """The log can say who knocked."""
    assert describe_stranger(data) == what


@pytest.mark.parametrize(("data", "foreign"), [(b"", False), (b"\0", False), (b"\0\0\0\x40", False), (b"G", True)])
def test_foreign_bytes_are_seen_as_early_as_possible(data: bytes, foreign: bool):
    """A hello begins with two zero bytes; anything else is not ours."""
    assert looks_foreign(data) is foreign
