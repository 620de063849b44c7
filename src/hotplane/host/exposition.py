"""Metrics as text, in the exposition format of Prometheus, version 0.0.4. Imports nothing of Hotplane.

The counters are our own and read at scrape time, so nothing of a client library is needed but this format.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from msgspec import Struct, field

__all__ = ["CONTENT_TYPE", "Family", "Sample", "render"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of the text that `render` returns."""

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_EXACT = 2**53


class Sample(Struct, frozen=True):
    """One line."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    suffix: str = ""
    """What follows the family's name: ``_bucket``, ``_sum`` or ``_count`` of a histogram."""


class Family(Struct, frozen=True, kw_only=True):
    """The samples of one name."""

    name: str
    """A counter's ends in ``_total``."""
    help: str
    type: Literal["counter", "gauge", "histogram"]
    samples: tuple[Sample, ...]


def render(families: Iterable[Family]) -> str:
    """Return the text of `families`; one without samples is left out.

    Raises:
        ValueError: A name of a family or a label cannot be written in this format.
    """
    return "".join(f"{line}\n" for family in families if family.samples for line in _lines(family))


def _lines(family: Family) -> Iterator[str]:
    if _NAME.fullmatch(family.name) is None:
        raise ValueError(f"{family.name!r} cannot be the name of a metric")
    explained = family.help.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {family.name} {explained}"
    yield f"# TYPE {family.name} {family.type}"
    for sample in family.samples:
        yield f"{family.name}{sample.suffix}{_labels(sample.labels)} {number(sample.value)}"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{_label(name)}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _label(name: str) -> str:
    if _LABEL.fullmatch(name) is None:
        raise ValueError(f"{name!r} cannot be the name of a label")
    return name


def _escaped(value: str) -> str:
    # A lone surrogate could not be encoded, and would cost the whole scrape.
    clean = value.encode("utf-8", "replace").decode("utf-8")
    return clean.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def number(value: float) -> str:
    """Return a number as the format writes it: whole ones without a point, as far as they are exact."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if isinstance(value, int) or (value.is_integer() and abs(value) < _EXACT):
        return str(int(value))
    return repr(value)
