"""Server-Sent Events as the HTML standard says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.client.sse import LineTooLong, ServerSentEvent, SseParser


def parsed(data: bytes) -> list[ServerSentEvent]:
    """Return the events of a whole stream."""
    return list(SseParser().feed(data))


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_all_three_line_ends_end_a_line(end: bytes) -> None:
    """LF, CR and CRLF are the same, and one of them twice ends the event."""
    assert parsed(end.join([b"event: a", b"data: 1", b"", b"data: 2", b"", b""])) == [
        ("a", "1", ""),
        ("message", "2", ""),
    ]


def test_the_example_of_the_standard_with_several_lines_of_data() -> None:
    """Lines of data are joined by LF."""
    assert parsed(b"data: YHOO\ndata: +2\ndata: 10\n\n") == [("message", "YHOO\n+2\n10", "")]


def test_the_example_of_the_standard_with_ids() -> None:
    """A comment is nothing, an id stays, an empty id resets it, and only one space is dropped."""
    stream = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
    assert parsed(stream) == [
        ("message", "first event", "1"),
        ("message", "second event", ""),
        ("message", " third event", ""),
    ]


def test_the_example_of_the_standard_with_empty_data() -> None:
    """Data that is empty is dispatched; an event that has not ended is not."""
    assert [each.data for each in parsed(b"data\n\ndata\ndata\n\ndata:")] == ["", "\n"]


def test_an_event_without_data_is_none() -> None:
    """A type alone is forgotten with its event."""
    assert parsed(b"event: a\n\ndata: 1\n\n") == [("message", "1", "")]


def test_the_byte_order_mark_is_dropped_once() -> None:
    """One BOM at the beginning is no part of the first field's name."""
    assert parsed(b"\xef\xbb\xbfdata: 1\n\n") == [("message", "1", "")]
    assert parsed(b"\xef\xbb\xbf\xef\xbb\xbfdata: 1\n\n") == []


def test_an_id_with_null_is_ignored() -> None:
    """The id before it stays."""
    assert parsed(b"id: 7\ndata: a\n\nid: 8\0\ndata: b\n\n")[1].id == "7"


def test_the_id_of_an_event_that_was_cut_off_does_not_count() -> None:
    """Whoever reconnects asks for the event again that had not come whole."""
    parser = SseParser()
    list(parser.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n"))
    assert parser.last_event_id == "1"


def test_only_digits_are_a_retry() -> None:
    """Anything else is ignored."""
    parser = SseParser()
    list(parser.feed("retry: 1000\nretry: -1\nretry: 1s\nretry: ٣\n\n".encode()))
    assert parser.retry_ms == 1000


def test_other_separators_are_text() -> None:
    """What `str.splitlines` would cut, such as U+2028, is data."""
    assert parsed("data: a\u2028b\x0bc\n\n".encode())[0].data == "a\u2028b\x0bc"


def test_an_endless_event_is_refused() -> None:
    """Memory has a limit."""
    with pytest.raises(LineTooLong):
        list(SseParser(max_bytes=10).feed(b"data: " + b"x" * 100))


LINES = st.lists(
    st.sampled_from(
        [b"data: \xe2\x82\xac", b"data", b"id: 1", b"id:", b"event: e", b": c", b"retry: 5", b"", b"", b"x: y"]
    ),
    max_size=20,
)


@given(LINES, st.sampled_from([b"\n", b"\r", b"\r\n"]), st.booleans(), st.lists(st.integers(0, 300), max_size=12))
def test_where_the_bytes_are_cut_does_not_matter(lines: list[bytes], end: bytes, bom: bool, cuts: list[int]) -> None:
    """The same stream gives the same events, however it arrives."""
    stream = (b"\xef\xbb\xbf" if bom else b"") + end.join([*lines, b"", b""])
    parser, found, start = SseParser(), list[ServerSentEvent](), 0
    for cut in [*sorted(cuts), len(stream)]:
        found += parser.feed(stream[start:cut])
        start = max(start, min(cut, len(stream)))
    assert found == parsed(stream)
