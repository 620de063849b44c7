"""Lines of an upload, however its bytes are cut."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.api.ndjson import Line, LineReader

MARK = b"\xef\xbb\xbf"
pieces = st.sampled_from([b"a", b"{}", b" ", b"\t", b"\r", b"\n", b"\r\n", b"\n\n", MARK, b"\xc3\xa9", b"x" * 9])


def read(parts: Sequence[bytes], limit: int = 1000) -> list[Line]:
    """Read parts to their end."""
    reader = LineReader(limit)
    lines = [line for part in parts for line in reader.feed(part)]
    last = reader.end()
    return lines if last is None else [*lines, last]


def split(data: bytes, limit: int) -> list[Line]:
    """Say the same in the plainest way."""
    found: list[Line] = []
    for number, text in enumerate(data.removeprefix(MARK).split(b"\n"), 1):
        line = text.removesuffix(b"\r")
        if len(line) > limit or line.strip(b" \t\r"):
            found.append(Line(number, line if len(line) <= limit else None))
    return found


@st.composite
def cut(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """Draw a text and its parts."""
    data = b"".join(draw(st.lists(pieces, max_size=30)))
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return data, [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@given(cut())
def test_however_the_bytes_are_cut_the_lines_are_the_same(drawn: tuple[bytes, list[bytes]]) -> None:
    """Within a character, a line end or the byte order mark."""
    data, parts = drawn
    assert read(parts) == split(data, 1000)


@given(cut(), st.integers(1, 12))
def test_the_limit_counts_the_text_of_a_line(drawn: tuple[bytes, list[bytes]], limit: int) -> None:
    """Neither its end nor the mark; a longer line is there without its text."""
    data, parts = drawn
    assert read(parts, limit) == split(data, limit)


def test_nothing_is_kept_of_a_line_that_is_too_long() -> None:
    """A gigabyte without a line end takes no memory."""
    reader = LineReader(10)
    for _ in range(1000):
        assert list(reader.feed(b"x" * 1000)) == []
        assert sum(map(len, reader._held)) <= 14
    assert list(reader.feed(b"\n1\n")) == [Line(1, None), Line(2, b"1")]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_last_line_needs_no_end(end: bytes) -> None:
    """And with one there is no further line."""
    assert read([b"1\r\n\r\n", b"2" + end]) == [Line(1, b"1"), Line(3, b"2")]
