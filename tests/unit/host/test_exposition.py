"""Metrics as Prometheus reads them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.host.exposition import Family, Sample, number, render


def family(*samples: Sample, name: str = "a_total", help: str = "What it is.") -> Family:
    """Return a counter."""
    return Family(name=name, help=help, type="counter", samples=samples)


def test_text() -> None:
    """A family is its help, its type, and a line per sample."""
    text = render([family(Sample(3, {"plugin": "x", "version": "1.0"}), Sample(0.5))])
    assert text == (
        '# HELP a_total What it is.\n# TYPE a_total counter\na_total{plugin="x",version="1.0"} 3\na_total 0.5\n'
    )


def test_a_family_without_samples_is_left_out() -> None:
    """Nothing is said of what has no values."""
    assert render([family()]) == ""


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ('say "hi"', r"say \"hi\""),
        ("back\\slash", r"back\\slash"),
        ("two\nlines", r"two\nlines"),
        ("{a=b},", "{a=b},"),
        ("grün 🚀", "grün 🚀"),
        ("lone \ud800", "lone ?"),
        ("", ""),
    ],
)
def test_label_values_are_escaped(value: str, written: str) -> None:
    """Quotes, backslashes and line breaks in a label cannot break the line."""
    assert render([family(Sample(1, {"plugin": value}))]).splitlines()[-1] == f'a_total{{plugin="{written}"}} 1'


def test_help_is_escaped() -> None:
    """A line break in the help cannot begin a line of its own."""
    assert render([family(Sample(1), help="a\nb\\c")]).splitlines()[0] == r"# HELP a_total a\nb\\c"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (1.0, "1"),
        (-2.5, "-2.5"),
        (10**15, "1000000000000000"),
        (1e300, "1e+300"),
        (1.023e-06, "1.023e-06"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
        (True, "1"),
    ],
)
def test_numbers(value: float, written: str) -> None:
    """Numbers are written as the format wants them."""
    assert number(value) == written


@given(st.floats(allow_nan=False))
def test_numbers_keep_their_value(value: float) -> None:
    """What is written reads back as the same number."""
    assert float(number(value)) == value


@pytest.mark.parametrize("wrong", [family(Sample(1), name="a b"), family(Sample(1, {"le-gume": "x"}))])
def test_names_are_checked(wrong: Family) -> None:
    """A name that the format does not have is refused rather than written."""
    with pytest.raises(ValueError, match="cannot be the name"):
        render([wrong])
