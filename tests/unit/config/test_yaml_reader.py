"""Reading YAML: what scalars mean, where values stand, and what is refused."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from hotplane.config.document import MAX_NODES
from hotplane.config.yaml_reader import plain_scalar, read_yaml
from hotplane.errors import ConfigurationError, Problem

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def problems_of(text: str) -> tuple[Problem, ...]:
    """Return the problems with what is given; fail when there are none."""
    with pytest.raises(ConfigurationError) as caught:
        read_yaml(text, "file.yaml")
    return tuple(caught.value.problems)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("0644", 644),
        ("0o644", 420),
        ("0x1F", 31),
        ("-12", -12),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1_000", "1_000"),
        ("2026-01-31", "2026-01-31"),
        ("~", None),
        ("", None),
        ("'true'", "true"),
        ('"12"', "12"),
        ("!!str 12", "12"),
        ("=", "="),
    ],
)
def test_a_scalar_is_read_by_the_core_schema_of_yaml_1_2(text: str, value: object):
    """Only `true` and `false` are booleans, and no plain word becomes a date, an octal or a sexagesimal number."""
    read = read_yaml(f"key: {text}").value
    assert read == {"key": value}
    assert type(read["key"]) is type(value)  # type: ignore[index, call-overload]


@given(json_values.filter(lambda value: not isinstance(value, str)))
def test_what_a_yaml_writer_writes_is_read_back(value: object):
    """Flow YAML with quoted text, as PyYAML writes it, has the value that went in."""
    text = yaml.safe_dump({"key": value}, default_style='"', allow_unicode=False)
    assert read_yaml(text).value == {"key": value}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
@example("20000000000000000000")
@example("-.inf")
def test_a_plain_scalar_agrees_with_the_file_reader(text: str):
    """A value of the environment means what it would mean in a file, where a file can hold it plainly."""
    if plain_scalar(text) != text:
        assert read_yaml(f"key: {text}\n").value == {"key": plain_scalar(text)}


def test_every_value_has_its_line():
    """A mapping's value has the line of its key, a list's item its own line."""
    document = read_yaml("a:\n  b: 1\n\nlist:\n  - x\n  - {y: 2}\n")
    assert {p: document.line_of(p) for p in ("/a", "/a/b", "/list/0", "/list/1/y")} == {
        "/a": 1,
        "/a/b": 2,
        "/list/0": 5,
        "/list/1/y": 6,
    }


def test_a_pointer_without_a_line_has_that_of_what_is_around_it():
    """A missing key is reported where it is missing."""
    assert read_yaml("a:\n  b: {}\n").line_of("/a/b/c/d") == 2


def test_keys_are_text_as_they_are_written():
    """`on`, `1` and `null` as keys stay what the operator typed."""
    assert read_yaml("{on: 1, 1: 2, null: 3}").value == {"on": 1, "1": 2, "null": 3}


def test_a_repeated_key_is_refused_with_both_lines():
    """Neither value wins silently."""
    (problem,) = problems_of("server:\n  port: 1\n  host: x\n  port: 2\n")
    assert problem == Problem("the key `port` is given twice, first in line 2", "/server/port", "file.yaml", 4)


def test_all_repeated_keys_are_reported_at_once():
    """Two mistakes of that sort are two problems."""
    assert len(problems_of("a: 1\na: 2\nb: {c: 1, c: 2}\n")) == 2


def test_merge_keys_work_and_own_keys_win():
    """`<<` takes over what the mapping does not have itself."""
    document = read_yaml("base: &b {x: 1, y: 2}\nmine:\n  y: 3\n  <<: *b\n")
    assert document.value == {"base": {"x": 1, "y": 2}, "mine": {"x": 1, "y": 3}}
    assert document.line_of("/mine/y") == 3


def test_the_first_of_several_merged_mappings_wins():
    """A list below `<<` is read in order, as the merge specification says."""
    text = "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc:\n  <<: [*a, *b]\n"
    assert read_yaml(text).value["c"] == {"x": 1, "y": 2}  # type: ignore[index, call-overload]


def test_an_alias_bomb_is_refused_quickly():
    """A few lines that write out to a billion values cost no more than the limit allows."""
    rows = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 10)]
    started = time.thread_time()
    (problem,) = problems_of("\n".join(rows))
    assert str(MAX_NODES) in problem.message
    assert time.thread_time() - started < 5


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "a: &a\n  <<: *a\n"])
def test_an_alias_of_itself_is_refused(text: str):
    """A value that holds itself has no end."""
    assert "nested" in problems_of(text)[0].message


def test_a_bomb_of_merged_mappings_is_refused_quickly():
    """Merging multiplies as aliases do, although equal keys fall together."""
    rows = ["l0: &l0 {x: 1}"]
    rows += [f"l{n}: &l{n} {{<<: [{', '.join([f'*l{n - 1}'] * 9)}]}}" for n in range(1, 12)]
    assert str(MAX_NODES) in problems_of("\n".join(rows))[0].message


@pytest.mark.parametrize("text", ["[" * 50_000, "\n".join("  " * n + "a:" for n in range(100)), "- " * 5000])
def test_deep_nesting_is_refused_with_its_line(text: str):
    """No nesting reaches the recursion limit."""
    (problem,) = problems_of(text)
    assert "nested more than 64 deep" in problem.message
    assert problem.line is not None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", 3),
        ("a: 1\n\tb: 2\n", 2),
        ("a: *nothing\n", 1),
        ("a: 1\n---\nb: 2\n", 2),
        ('a: "open\n', 2),
        ("a: 1\nb: \x07\n", 2),
    ],
)
def test_a_syntax_error_has_its_line(text: str, line: int):
    """What is not YAML is said to be so, where it stops being YAML."""
    (problem,) = problems_of(text)
    assert problem.message.startswith("this is not valid YAML: ")
    assert (problem.file, problem.line) == ("file.yaml", line)


@pytest.mark.parametrize(
    "value",
    ["!!python/object/apply:os.system [echo]", "!!python/name:os.system x", "!!binary aGk=", "!own x", "!!set {a}"],
)
def test_other_tags_are_refused(value: str):
    """No tag makes an object, or anything that JSON does not have."""
    (problem,) = problems_of(f"a: 1\nb: {value}\n")
    assert "the tag" in problem.message
    assert problem.line == 2


@pytest.mark.parametrize("value", [".nan", "-.inf", "18446744073709551616", "1e400"])
def test_values_that_json_does_not_have_are_refused(value: str):
    """Numbers out of range are refused with their place."""
    (problem,) = problems_of(f"a: 1\nb: {value}\n")
    assert (problem.pointer, problem.line) == ("/b", 2)


def test_a_number_of_a_million_digits_costs_nothing():
    """Such a number is text when plain, and never converted."""
    started = time.thread_time()
    assert isinstance(read_yaml("a: '" + "9" * 900_000 + "'").value, dict)
    problems_of("a: " + "9" * 900_000)
    assert time.thread_time() - started < 5


def test_an_empty_file_is_an_empty_configuration():
    """Comments alone are no values."""
    assert read_yaml("# nothing yet\n").value == {}


def test_a_lone_surrogate_is_refused_with_its_line():
    """Text that UTF-8 cannot hold is no value, whichever of PyYAML's two parsers reads it."""
    assert [problem.line for problem in problems_of('a: 1\nb: "\\ud83d"\n')] == [2]
