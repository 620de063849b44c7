"""Items as clients write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.api.items import ItemIds, ItemReader
from hotplane.api.ndjson import Line
from hotplane.execution.batch import NewItem


def read(*lines: bytes | None) -> list[NewItem]:
    """Read lines as items."""
    reader = ItemReader(1000)
    return [item for item, _ in reader.read(iter([Line(number, text) for number, text in enumerate(lines, 1)]))]


def test_an_item_keeps_what_its_client_says() -> None:
    """Input, id, expectation, deadline and correlation id; the position is its line."""
    [item] = read(b'{"input": [1], "id": "a", "expected": null, "timeout_ms": 5, "correlation_id": "c"}')
    assert item == NewItem(position=1, item_id="a", input=[1], expected=None, timeout_ms=5, correlation_id="c")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "Line 2 is no item: input data was truncated."),
        (b"5", "Line 2 is no item: expected object, got int."),
        (b'{"id": "a"}', "Line 2 is no item: the field 'input' is missing (at /input)."),
        (b'{"input": 1, "inputs": 2}', "Line 2 is no item: the field 'inputs' is not known; did you mean 'input'?"),
        (b'{"input": 1, "timeout_ms": 0}', "(at /timeout_ms)"),
        (b'{"input": 1, "id": ""}', "(at /id)"),
        (b'{"input": "\xff"}', "a string is not UTF-8"),
        (b'{"input": NaN}', "malformed"),
        (b'{"input":' + b"[" * 5000, "nested too deep"),
        (None, "it has more than 1000 bytes, the limit `batches.max_item_bytes`"),
    ],
)
def test_a_line_that_is_no_item_says_why(line: bytes | None, words: str) -> None:
    """Its number and the reason; the lines around it are items."""
    before, broken, after = read(b'{"input": 1}', line, b'{"input": 3}')
    assert before.problem is after.problem is None
    assert broken.problem is not None
    assert broken.problem.type == "malformed-item"
    assert words in broken.problem.message
    assert broken.item_id == "2"


def test_the_second_of_two_ids_is_refused() -> None:
    """The first one runs; an id that is a number counts against the lines that have none."""
    items = read(b'{"input":1,"id":"a"}', b'{"input":1}', b'{"input":1,"id":"a"}', b'{"input":1,"id":"2"}')
    assert [item.problem and item.problem.type for item in items] == [None, None] + ["duplicate-item-id"] * 2


@given(st.lists(st.none() | st.sampled_from(["1", "2", "3", "4", "02", "a", "-1", "²"]), max_size=8))
def test_ids_are_claimed_once(given_ids: list[Any]) -> None:
    """As in a plain set of texts."""
    ids, known = ItemIds(), set[str]()
    for position, name in enumerate(given_ids, 1):
        text = name or str(position)
        assert ids.claim(position, name) == (text not in known)
        known.add(text)
