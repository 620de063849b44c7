"""How the lines of a file become items."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest

from hotplane.cli.batch_lines import Expectations, Shape, lines_of

MESSAGE = b'{"text": "hi", "label": "ham", "n": 7}\n'


def items(text: bytes, expectations: Expectations | None = None, **shape: Any) -> list[bytes]:
    """Return the items of a file."""
    return list(lines_of(io.BytesIO(text), Shape(**shape), expectations or Expectations()))


def item(text: bytes, **shape: Any) -> object:
    """Return the only item of a file."""
    (line,) = items(text, **shape)
    return msgspec.json.decode(line)


def test_items_are_sent_byte_for_byte() -> None:
    """Without options a line is an item already; a byte order mark and line ends are not part of it."""
    assert items(b'\xef\xbb\xbf{"input": 1}\r\n{"input":2}') == [b'{"input": 1}', b'{"input":2}']


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ({"input_only": True}, {"input": {"text": "hi", "label": "ham", "n": 7}}),
        ({"input_fields": ["text"]}, {"input": {"text": "hi"}}),
        ({"input_fields": ["text", "n", "absent"]}, {"input": {"text": "hi", "n": 7}}),
        ({"expected_field": "label"}, {"input": {"text": "hi", "n": 7}, "expected": "ham"}),
        (
            {"input_fields": ["text"], "expected_field": "label", "id_field": "n"},
            {"input": {"text": "hi"}, "id": "7", "expected": "ham"},
        ),
    ],
)
def test_fields_make_up_the_item(shape: dict[str, Any], expected: object) -> None:
    """The options say which field is what; what is left of a line is its input."""
    assert item(MESSAGE, **shape) == expected


def test_a_line_may_be_any_input() -> None:
    """With --input-only a line need not be an object."""
    assert item(b"[1, 2]\n", input_only=True) == {"input": [1, 2]}


@pytest.mark.parametrize("line", [b"not json", b"\xff", b"", b"7"])
def test_a_line_that_cannot_be_used_goes_up_as_it_is(line: bytes) -> None:
    """The host rejects it with its number; the numbers of the others do not move."""
    assert items(line + b"\n" + MESSAGE, input_fields=["text"])[0] == line


def test_outputs_are_compared_by_line() -> None:
    """1.0 is 1; an item that failed is not correct; one without expectation does not count."""
    expectations = Expectations()
    items(b'{"input":1,"expected":1}\n{"input":2,"expected":2}\n{"input":3}\n', expectations)
    for position, status, output in ((1, "success", 1.0), (2, "error", None), (3, "success", 3)):
        expectations.compare({"position": position, "status": status, "output": output})
    assert (expectations.known, expectations.correct, expectations.accuracy) == (2, 1, 0.5)


def test_nothing_expected_has_no_accuracy() -> None:
    """No expectation gives null, not zero."""
    assert Expectations().accuracy is None
