"""How far results have come: each once, in order, wherever the bytes are cut."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.client import ApiInvalid, NotHotplane, UploadIncomplete
from hotplane.client.following import ResultLines, StreamProgress


def result(sequence: int) -> bytes:
    """Return a result as it is sent."""
    fields = {"sequence": sequence, "position": sequence, "item_id": "é", "status": "success"}
    return msgspec.json.encode(fields)


def batch(**fields: object) -> bytes:
    """Return a stream's state as it is sent."""
    return msgspec.json.encode({"id": "s", "task_id": "t", "state": "completed", "items": 3, **fields})


def event(name: str, data: bytes) -> bytes:
    """Return one event as it is sent."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


@given(st.lists(st.integers(0, 600), max_size=8), st.lists(st.integers(0, 9), max_size=5))
def test_lines_come_once_over_lost_connections(cuts: list[int], losses: list[int]) -> None:
    """After a loss the server begins behind the cursor, or even before it: no result is lost or repeated."""
    lines, found = ResultLines("http://h"), list[int]()
    for loss in [*losses, 10]:
        begin = max(0, lines.after - 1)  # one too early: it must not matter
        answer = b"".join(result(n + 1) + b"\n" for n in range(begin, 10))
        kept = answer if loss == 10 else answer[: len(answer) * loss // 10]
        lines.begin()
        start = 0
        for cut in [*sorted(cuts), len(kept)]:
            found += [each.sequence for each in lines.feed(kept[start:cut])]
            start = max(start, min(cut, len(kept)))
    assert found == list(range(1, 11))


def test_a_line_that_is_no_result_is_not_hotplane() -> None:
    """The error says so."""
    with pytest.raises(NotHotplane):
        list(ResultLines("http://h").feed(b"<html>\n"))


def test_a_stream_tells_its_id_its_state_and_its_end() -> None:
    """The events of a stream are taken in; only results are given out."""
    progress = StreamProgress("http://h")
    stream = event("stream", b'{"id":"s"}') + event("result", result(1)) + event("progress", batch(state="running"))
    assert [each.sequence for each in progress.feed(stream)] == [1]
    assert (progress.id, progress.last_event_id, progress.ended) == ("s", "1", False)
    list(progress.feed(event("end", batch())))
    assert progress.ended


@given(st.integers(0, 400), st.integers(0, 3))
def test_a_stream_that_was_cut_anywhere_gives_each_result_once(cut: int, early: int) -> None:
    """The rest of a cut event is not glued to the next answer, which may begin too early."""
    progress = StreamProgress("http://h")
    events = [event("result", result(n)) for n in range(1, 6)]
    found = list(progress.feed(b"".join(events)[:cut]))
    progress.begin()
    found += progress.feed(b"".join(events[max(0, progress.after - early) :]))
    assert [each.sequence for each in found] == [1, 2, 3, 4, 5]


def test_what_is_wrong_with_the_upload_is_raised_at_the_end() -> None:
    """A problem that the server tells in mid-stream does not keep the results back."""
    progress = StreamProgress("http://h")
    document = msgspec.json.encode({"title": "Too large", "detail": "No.", "status": 422, "code": "batch-too-large"})
    stream = event("result", result(1)) + event("problem", document) + event("end", batch(truncated=True))
    assert len(list(progress.feed(stream))) == 1
    with pytest.raises(ApiInvalid) as found:
        progress.check_upload()
    assert found.value.code == "batch-too-large"


def test_unknown_events_are_ignored() -> None:
    """A newer server may tell more."""
    assert list(StreamProgress("http://h").feed(event("weather", b"sunny"))) == []


def test_the_id_is_known_from_the_head_of_the_answer() -> None:
    """A connection that breaks before the first event can be resumed, too."""
    progress = StreamProgress("http://h")
    progress.located("/api/stream/a%3Ab")
    assert progress.id == "a:b"


def test_a_truncated_upload_is_an_error_at_the_end() -> None:
    """The error says how many items arrived."""
    progress = StreamProgress("http://h")
    list(progress.feed(event("end", batch(truncated=True))))
    with pytest.raises(UploadIncomplete, match="first 3 items") as found:
        progress.check_upload()
    assert found.value.accepted == 3
