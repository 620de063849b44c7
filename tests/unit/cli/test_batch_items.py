"""Lines as the items of a batch in this process."""

from __future__ import annotations

import pytest

from hotplane.cli.batch_items import NewItems


@pytest.mark.parametrize("line", [b"nonsense", b"7", b'{"inputs": 1}', b'{"input": 1, "extra": 2}', b"\xff"])
def test_what_is_no_item_is_rejected_with_its_line(line: bytes) -> None:
    """The others keep their numbers."""
    first, second = NewItems().of([line, b'{"input": 1}'])
    assert first.problem is not None
    assert (first.problem.type, "line 1" in first.problem.message) == ("malformed-item", True)
    assert (second.position, second.item_id, second.problem) == (2, "2", None)


def test_the_second_of_two_ids_is_rejected() -> None:
    """Also over several parts of a file, and against ids that were given by position."""
    items = NewItems()
    first, second = items.of([b'{"input": 1, "id": "3"}', b'{"input": 1, "id": "3"}'])
    (third,) = items.of([b'{"input": 1}'])
    assert first.problem is None
    assert [each.problem and each.problem.type for each in (second, third)] == ["duplicate-item-id"] * 2


def test_empty_lines_are_counted_and_left_out() -> None:
    """A line's number is that of the file."""
    (only,) = NewItems().of([b"", b" ", b'{"input": 1}'])
    assert only.position == 3
