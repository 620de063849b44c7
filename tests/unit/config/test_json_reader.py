"""Reading JSON: lines, comments, and what is refused."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.config.json_reader import read_json
from hotplane.errors import ConfigurationError, Problem

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | _text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=15,
)


def problems_of(text: str) -> tuple[Problem, ...]:
    """Return the problems with what is given; fail when there are none."""
    with pytest.raises(ConfigurationError) as caught:
        read_json(text, "file.json")
    return tuple(caught.value.problems)


@given(_values, st.sampled_from([None, 2, "\t"]))
def test_any_json_is_read_as_the_standard_library_reads_it(value: object, indent: int | str | None):
    """Indentation by tabs, text that looks like comments, and escapes make no difference."""
    assert read_json(json.dumps(value, indent=indent)).value == value


@given(st.dictionaries(_text, _values, max_size=5))
def test_every_member_of_an_indented_object_has_the_line_that_it_stands_in(value: dict[str, object]):
    """The line that is told is the one that begins with the key."""
    text = json.dumps(value, indent=1)
    document = read_json(text)
    for key in value:
        line = document.line_of("/" + key.replace("~", "~0").replace("/", "~1"))
        assert line is not None
        assert text.split("\n")[line - 1].startswith(" " + json.dumps(key) + ":")


def test_tabs_are_white_space():
    """What YAML would refuse, JSON allows."""
    assert read_json('{\n\t"a":\t[1,\n\t\t2]}').lines == {"": 1, "/a": 2, "/a/0": 2, "/a/1": 3}


def test_comments_and_trailing_commas_are_accepted_outside_text():
    """A .NET settings file with both is read; text that looks like them stays."""
    text = '{ // note, ]\n "url": "http://x/*y*/,}", /* a\n b, */ "list": [1, 2, ],\n}'
    document = read_json(text)
    assert document.value == {"url": "http://x/*y*/,}", "list": [1, 2]}
    assert document.line_of("/list") == 3


def test_a_repeated_key_is_refused_with_both_lines():
    """Neither value wins silently, and an escape does not hide the repetition."""
    (problem,) = problems_of('{"a": {"b": 1,\n"\\u0062": 2}}')
    assert problem == Problem("the key `b` is given twice, first in line 1", "/a/b", "file.json", 2)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a": 1\n "b": 2}', 2),
        ('{"a": tru\n}', 1),
        ("{\n'a': 1}", 2),
        ('{"a": 1}\n}', 2),
        ('{"a":\n"x\ny"}', 2),
        ("{,}", 1),
    ],
)
def test_a_syntax_error_has_its_line(text: str, line: int):
    """What is not JSON is said to be so, where it stops being JSON."""
    (problem,) = problems_of(text)
    assert problem.message.startswith("this is not valid JSON: ")
    assert problem.line == line


@pytest.mark.parametrize(
    "text", ['{"a": NaN}', '{"a": -Infinity}', '{"a": 1e400}', '{"a": "\\ud800"}', '{"a": ' + "9" * 5000 + "}"]
)
def test_values_that_the_data_model_does_not_have_are_refused(text: str):
    """NaN, infinities, huge integers and lone surrogates are no configuration."""
    assert problems_of(text)


@pytest.mark.parametrize("depth", [65, 500_000])
def test_deep_nesting_is_refused(depth: int):
    """No nesting reaches the recursion limit."""
    assert "nested" in problems_of('{"a": ' + "[" * depth + "]" * depth + "}")[0].message


@pytest.mark.parametrize("filler", ['"\\', ",", "/*", '"', " ", ",\n"])
def test_hostile_text_is_read_in_linear_time(filler: str):
    """A megabyte of what the patterns have to look at twice is refused in a moment."""
    started = time.thread_time()
    problems_of("{" + filler * (300_000 // len(filler)) + "x")
    assert time.thread_time() - started < 5


def test_an_empty_file_is_an_empty_configuration():
    """A file that was only touched configures nothing."""
    assert read_json("\n").value == {}
