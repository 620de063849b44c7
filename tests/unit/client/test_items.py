"""Items become lines, one at a time."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest

from hotplane.client import ConnectionFailed, ConnectionLost, Item
from hotplane.client.items import Upload, encoded
from hotplane.errors import NotJson


def test_anything_is_an_input() -> None:
    """A dictionary is an input, also one that looks like an item."""
    assert msgspec.json.decode(encoded({"input": 1})) == {"input": {"input": 1}}


def test_an_item_says_more() -> None:
    """What is left away of an item is not sent; null is."""
    item = Item(input=None, expected=None, id="a")
    assert encoded(item) == b'{"input":null,"id":"a","expected":null}\n'


@pytest.mark.parametrize("item", [math.nan, Item(input=math.inf), Item(input=1, expected={"a": math.nan}), {1: 2}])
def test_what_is_not_json_is_refused(item: object) -> None:
    """Msgspec would write NaN as null; it is refused before."""
    with pytest.raises(NotJson):
        encoded(item)  # type: ignore[arg-type]


def test_a_text_is_no_collection() -> None:
    """A file's name as text would be sent letter by letter."""
    with pytest.raises(TypeError, match=r"pathlib\.Path"):
        Upload("items.jsonl")  # type: ignore[arg-type]


def test_lines_are_gathered_into_parts() -> None:
    """Small items travel together, unless each is to be sent when it comes."""
    assert len(list(Upload(range(1000)).sync())) == 1
    assert len(list(Upload(range(1000), chunk=1).sync())) == 1000


async def test_both_kinds_of_reading_give_the_same(tmp_path: Path) -> None:
    """A list and a file give the same bytes to both clients."""
    file = tmp_path / "items"
    file.write_bytes(b"".join(encoded(each) for each in range(50_000)))
    for source in (range(50_000), file):
        asynchronous = b"".join([part async for part in Upload(source)])
        assert asynchronous == b"".join(Upload(source).sync()) == file.read_bytes()


def test_what_can_be_sent_again() -> None:
    """Nothing sent: always. A list: unless it may have arrived. A generator that has begun: never."""
    refused, lost = ConnectionFailed("h", "refused"), ConnectionLost("h", "gone")
    generator, collection = Upload(iter([1])), Upload([1])
    assert generator.repeatable_after(lost)
    list(generator.sync())
    list(collection.sync())
    assert not generator.repeatable_after(refused)
    assert collection.repeatable_after(refused)
    assert not collection.repeatable_after(lost)
