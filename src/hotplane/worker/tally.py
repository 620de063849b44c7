"""Counting calls on the hot path, and telling the counts to Prometheus. Imports nothing of Hotplane.

The text is the exposition format of Prometheus, version 0.0.4; every label has a fixed set of values.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import accumulate
from typing import Literal

__all__ = ["CONTENT_TYPE", "SUCCESS", "Door", "Tally", "family"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SUCCESS = "success"
_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the latency's buckets, in seconds."""


class Door(StrEnum):
    """How a call came in."""

    VALKYRIE = "valkyrie"
    HTTP = "http"


class Tally:
    """Calls by door and outcome, and how long they took."""

    def __init__(self) -> None:
        self._outcomes: Counter[tuple[Door, str]] = Counter()
        self._buckets = {door: [0] * (len(_BOUNDS) + 1) for door in Door}
        self._seconds = dict.fromkeys(Door, 0.0)

    def count(self, door: Door, outcome: str, seconds: float) -> None:
        """Count a call.

        Args:
            door: How it came in.
            outcome: `SUCCESS`, ``cancelled``, or the code of its failure.
            seconds: How long it took.
        """
        self._outcomes[door, outcome] += 1
        self._buckets[door][bisect_left(_BOUNDS, seconds)] += 1
        self._seconds[door] += seconds

    def calls(self, door: Door, outcome: str) -> int:
        """Return how many calls of a door ended so."""
        return self._outcomes[door, outcome]

    def lines(self) -> Iterator[str]:
        """Yield the lines of the text."""
        counted = ((f'door="{door}",outcome="{outcome}"', number) for (door, outcome), number in self._outcomes.items())
        yield from family("hotplane_worker_calls_total", "counter", "Calls that ended, by outcome.", counted)
        name = "hotplane_worker_call_seconds"
        yield from _head(name, "histogram", "How long calls took, waiting for a thread or a process included.")
        for door in Door:
            running = list(accumulate(self._buckets[door]))
            for bound, number in zip((*_BOUNDS, "+Inf"), running, strict=True):
                yield f'{name}_bucket{{door="{door}",le="{bound}"}} {number}'
            yield f'{name}_sum{{door="{door}"}} {self._seconds[door]!r}'
            yield f'{name}_count{{door="{door}"}} {running[-1]}'


def family(
    name: str,
    kind: Literal["counter", "gauge"],
    explained: str,
    samples: Iterable[tuple[str, float]] | float,
) -> Iterator[str]:
    """Yield the lines of one metric.

    Args:
        name: A counter's ends in ``_total``.
        kind: Whether it only grows.
        explained: A sentence on one line.
        samples: Its value, or a value for each text of labels.
    """
    yield from _head(name, kind, explained)
    if isinstance(samples, int | float):
        yield f"{name} {samples}"
        return
    for labels, value in samples:
        yield f"{name}{{{labels}}} {value}"


def _head(name: str, kind: str, explained: str) -> Iterator[str]:
    yield f"# HELP {name} {explained}"
    yield f"# TYPE {name} {kind}"
