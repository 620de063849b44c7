"""The windows behind thresholds, against plain lists."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.execution.estimates import Picks, estimate
from hotplane.execution.windows import LatencyWindow, VerdictWindow

SIZE, SECONDS = 7, 20.0
WAITS = st.floats(0, 9, allow_nan=False)


@given(st.lists(st.tuples(st.floats(1e-6, 1.0), st.booleans(), WAITS), min_size=1, max_size=60))
def test_verdicts_are_those_of_the_newest(steps: list[tuple[float, bool, float]]) -> None:
    """Whatever came and went, the accuracy is that of a list of what is left."""
    window, kept, now = VerdictWindow(SIZE, SECONDS), list[tuple[float, float, bool]](), 0.0
    for probability, valid, wait in steps:
        now += wait
        window.add(probability, valid, now)
        kept = [each for each in [*kept, (now, probability, valid)][-SIZE:] if now - each[0] <= SECONDS]
        assert window.volume == len(kept)
        failed, passed = (
            sum((Picks.of(1, p) for _, p, good in kept if good is verdict), start=Picks()) for verdict in (False, True)
        )
        expected = estimate(failed, passed, finite=False).complement()
        found = window.accuracy(0.95)
        assert (found.value, found.low, found.high) == pytest.approx(
            (expected.value, expected.low, expected.high), abs=1e-6
        )


@given(st.lists(st.tuples(st.floats(0, 100), WAITS), min_size=1, max_size=60), st.floats(0.01, 1.0))
def test_percentiles_are_those_of_the_newest(steps: list[tuple[float, float]], share: float) -> None:
    """The nearest rank in a sorted list of what is left."""
    window, kept, now = LatencyWindow(SIZE, SECONDS), list[tuple[float, float]](), 0.0
    for latency, wait in steps:
        now += wait
        window.add(latency, now)
        kept = [each for each in [*kept, (now, latency)][-SIZE:] if now - each[0] <= SECONDS]
        ordered = sorted(each for _, each in kept)
        assert window.volume == len(ordered)
        assert window.percentile(share) == ordered[max(1, math.ceil(share * len(ordered) - 1e-9)) - 1]


def test_a_percentile_is_not_moved_by_rounding() -> None:
    """95 % of 20 are 19, though 0.95 * 20 may be a little more."""
    window = LatencyWindow(100, 60)
    for latency in range(1, 21):
        window.add(latency, 0.0)
    assert [window.percentile(share) for share in (0.05, 0.1, 0.3, 0.7, 0.95, 1.0)] == [1, 2, 6, 14, 19, 20]
