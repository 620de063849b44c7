"""`expected-output`: four ways to compare what came with what was expected."""

import math
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hotplane.builtin.validators.comparing import Tolerance, nearly
from hotplane.builtin.validators.expected_output import ExpectedOutputConfig, ExpectedOutputValidator
from hotplane.builtin.validators.places import value_at
from hotplane.errors import MissingExtra
from hotplane.records import ExecutionStatus

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**64 - 1)
TYPE = "expected-output"
NOTHING: Any = None


@pytest.mark.parametrize(
    ("mode", "expected", "output", "valid"),
    [
        ("exact", {"a": 1, "b": 2}, {"a": 1, "b": 2}, True),
        ("exact", {"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        ("exact", 1, 1.0, False),
        ("structured", {"a": 1, "b": 2}, {"b": 2.0, "a": 1}, True),
        ("structured", [1, 2], [2, 1], False),
        ("structured", True, 1, False),
        ("structured", None, None, True),
        ("numeric", {"a": [1.0, 2]}, {"a": [1.0000000001, 2]}, True),
        ("numeric", {"a": [1.0, 2]}, {"a": [1.001, 2]}, False),
        ("numeric", {"a": 1}, {"a": 1, "b": 2}, False),
        ("numeric", [1], [1, 2], False),
        ("numeric", "1", 1, False),
        ("numeric", True, 1, False),
        ("fuzzy", "the quick brown fox", "the quick brown fix", True),
        ("fuzzy", "the quick brown fox", "something else", False),
        ("fuzzy", {"a": "x", "b": 1}, {"b": 1, "a": "x"}, True),
        ("fuzzy", "", "", True),
    ],
)
def test_what_counts_as_the_same(judge, mode, expected, output, valid):
    """Each way to compare has its own idea of it."""
    assert judge(TYPE, {"mode": mode}, output, expected=expected).valid is valid


@pytest.mark.parametrize(
    ("configuration", "expected", "output", "valid"),
    [
        ({"rel_tol": 0.1}, 100, 110, True),
        ({"rel_tol": 0.1}, 100, 112, False),
        ({"rel_tol": 0.5}, 0, 1e-9, False),
        ({"abs_tol": 0.01}, 0, 0.01, True),
        ({"abs_tol": 0.01}, 0, 0.011, False),
    ],
)
def test_the_tolerances_are_those_of_isclose(judge, configuration, expected, output, valid):
    """A share of the larger number, or an absolute difference; near 0 only the latter helps."""
    assert judge(TYPE, {"mode": "numeric", **configuration}, output, expected=expected).valid is valid


@given(numbers, numbers, st.floats(0, 1), st.floats(0, 1e9))
def test_numbers_are_near_exactly_where_isclose_says_so(left, right, rel, absolute):
    """At any depth."""
    near = math.isclose(left, right, rel_tol=rel, abs_tol=absolute)
    assert (nearly({"a": [left]}, {"a": [right]}, Tolerance(rel, absolute)) is None) is near


@pytest.mark.parametrize(
    ("expected", "output", "pointer"), [({"a": {"b": 1}}, {"a": {"b": 2}}, "/a/b"), ([1, 2], [1, 3], "/1")]
)
def test_the_first_difference_is_shown_with_its_place(judge, expected, output, pointer):
    """A person sees at once what is wrong, and where."""
    (error,) = judge(TYPE, {}, output, expected=expected).errors
    assert (error.pointer, error.code, error.message[:8]) == (pointer, "expected", "expected")


def test_a_part_of_the_output_can_be_compared(judge):
    """The rest does not matter, and the pointer of the error is that of the whole output."""
    configuration = {"pointer": "/items/0"}
    expected = {"items": [{"n": 1}], "time": 1}
    assert judge(TYPE, configuration, {"items": [{"n": 1}], "time": 2}, expected=expected).valid
    (error,) = judge(TYPE, configuration, {"items": [{"n": 2}]}, expected=expected).errors
    assert error.pointer == "/items/0/n"
    for mode in ("structured", "fuzzy"):
        assert judge(TYPE, {**configuration, "mode": mode}, {"items": []}, expected=expected).valid is False


@pytest.mark.parametrize(
    "case",
    [{}, {"expected": 1, "status": ExecutionStatus.ERROR}, {"expected": {}, "configuration": {"pointer": "/a"}}],
)
def test_where_there_is_nothing_to_compare_the_result_does_not_apply(judge, case):
    """No expectation, no output, or nothing expected at the place: no agreement and no objection."""
    configuration = case.pop("configuration", {})
    result = judge(TYPE, configuration, 1, **case)
    assert (result.valid, result.applies) == (None, False)
    assert result.message


def test_the_likeness_is_told(judge):
    """Half of the characters of both texts are in common."""
    result = judge(TYPE, {"mode": "fuzzy", "threshold": 0.5}, "abxx", expected="abyy")
    assert (result.valid, result.metadata) == (True, {"similarity": 0.5})


def test_texts_that_are_too_long_are_not_compared(judge):
    """That would take too long; it could not be judged, which is no agreement."""
    result = judge(TYPE, {"mode": "fuzzy", "max_characters": 10}, "a" * 11, expected="a")
    assert (result.valid, result.applies) == (None, True)


def test_a_missing_library_is_named_at_the_start(monkeypatch):
    """With the command that installs it; other ways to compare do not need it."""
    monkeypatch.setitem(sys.modules, "rapidfuzz.distance", None)
    ExpectedOutputValidator(ExpectedOutputConfig(mode="numeric")).start(NOTHING)
    with pytest.raises(MissingExtra, match=r"pip install 'hotplane\[validators\]'"):
        ExpectedOutputValidator(ExpectedOutputConfig(mode="fuzzy")).start(NOTHING)


@pytest.mark.parametrize("pointer", ["a", "#/a", "a/b"])
def test_a_place_that_is_no_pointer_is_refused(pointer):
    """A JSON Pointer begins with a slash."""
    with pytest.raises(ValidationError, match="is not a JSON Pointer"):
        ExpectedOutputConfig(pointer=pointer)


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("", "whole"),
        ("/a~1b", 1),
        ("/m~0n", 2),
        ("/", 3),
        ("/l/1", 20),
        ("/l/01", "none"),
        ("/l/2", "none"),
        ("/l/-", "none"),
    ],
)
def test_places_are_found_as_the_standard_says(place, found):
    """The cases of RFC 6901."""
    value = {"a/b": 1, "m~n": 2, "": 3, "l": [10, 20]}
    at = value_at(value, place)
    assert at == {"whole": value}.get(found, found) or (found == "none" and repr(at) == "UNSET")
