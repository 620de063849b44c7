"""The JSON data model: what is let in, and when two values are equal."""

from __future__ import annotations

import json
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.errors import NotJson
from hotplane.values import MAX_DEPTH, checked_copy, equal, pointer

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4))


class Word(StrEnum):
    YES = "yes"


class Number(IntEnum):
    ONE = 1


@given(values)
def test_a_copy_is_the_same_value_and_shares_nothing(value: Any) -> None:
    """What comes back equals what went in, is plain JSON, and no container of it is the original's."""
    copied = checked_copy(value)
    assert copied == value
    assert json.loads(json.dumps(copied)) == copied
    if isinstance(value, list | dict):
        assert copied is not value


@pytest.mark.parametrize(
    ("value", "plain"), [((1, [2]), [1, [2]]), ({"a": Word.YES}, {"a": "yes"}), ([Number.ONE, True], [1, True])]
)
def test_tuples_and_subclasses_become_plain(value: Any, plain: Any) -> None:
    """A program may return tuples and enumerations; what is recorded has plain types."""
    copied = checked_copy(value)
    assert copied == plain
    assert type(copied) in {list, dict}
    assert json.dumps(copied) == json.dumps(plain)


@pytest.mark.parametrize(
    ("value", "at"),
    [
        (float("nan"), "/"),
        ({"a": float("inf")}, "/a"),
        ({"a": [1, -float("inf")]}, "/a/1"),
        ({"n": 2**64}, "/n"),
        ([-(2**63) - 1], "/0"),
        ({"a": {"b/c": object()}}, "/a/b~1c"),
        ({1: "x"}, "/"),
        (["\ud800"], "/0"),
        ({"x": {"\ud800": 1}}, "/x/?"),
        ({"x": b"bytes"}, "/x"),
        ({1, 2}, "/"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_place(value: Any, at: str) -> None:
    """NaN, infinities, large integers, lone surrogates, odd keys and other objects: the pointer says where."""
    with pytest.raises(NotJson) as refusal:
        checked_copy(value)
    assert refusal.value.pointer == at


def test_nesting_has_a_limit() -> None:
    """64 levels are taken, 65 are not, and a value that holds itself is refused instead of recursing for ever."""
    nested: Any = 1
    for _ in range(MAX_DEPTH):
        nested = [nested]
    assert checked_copy(nested) == nested
    with pytest.raises(NotJson, match="too deep"):
        checked_copy([nested])
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(NotJson, match="too deep"):
        checked_copy(endless)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, 1.0, True),
        (True, 1, False),
        (False, 0, False),
        (None, False, False),
        ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1}, True),
        ([1, 2], [2, 1], False),
        ([1], [1, 1], False),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ("1", 1, False),
        ([True], [1], False),
        ([], {}, False),
    ],
)
def test_equality_is_structural(left: Any, right: Any, same: bool) -> None:
    """1 equals 1.0, true does not equal 1, key order does not matter, the order of arrays does."""
    assert equal(left, right) is same
    assert equal(right, left) is same


@given(values)
def test_every_value_equals_its_copy(value: Any) -> None:
    """Equality is reflexive over copies."""
    assert equal(value, checked_copy(value))


def test_pointers_are_escaped() -> None:
    """RFC 6901: `~` and `/` within a key."""
    assert pointer("a/b", 0, "m~n") == "/a~1b/0/m~0n"
