"""Sliding windows by count and by time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.routing.window import FAILED, SLOW, CountWindow, TimeWindow, Window

results = st.sampled_from([0, FAILED, SLOW, FAILED | SLOW])


def totals(window: Window) -> tuple[int, int, int]:
    """Return volume, failures and slow calls."""
    return window.volume, window.failures, window.slow


def expected(kept: list[int]) -> tuple[int, int, int]:
    """Count the same in a plain list."""
    return len(kept), sum(r & FAILED for r in kept), sum(r >> 1 for r in kept)


def test_a_call_that_failed_slowly_counts_in_both_totals() -> None:
    """A result can be a failure and slow at once."""
    window = CountWindow(4)
    window.add(FAILED | SLOW, 0.0)
    assert totals(window) == (1, 1, 1)


@given(st.integers(1, 12), st.lists(results, max_size=60))
def test_a_count_window_is_the_last_results(size: int, reported: list[int]) -> None:
    """A count window's totals are those of the newest `size` results."""
    window = CountWindow(size)
    for result in reported:
        window.add(result, 0.0)
    assert totals(window) == expected(reported[-size:])


@given(
    st.sampled_from([0.5, 1.0, 10.0, 30.0, 12.5]),
    st.lists(st.tuples(results, st.sampled_from([0.0, 0.01, 0.3, 1.0, 2.75, 9.0, 31.0, 1e6])), max_size=60),
)
def test_a_time_window_is_the_results_of_its_buckets(seconds: float, steps: list[tuple[int, float]]) -> None:
    """A time window's totals are those of the results whose bucket is among the newest ones."""
    width = min(seconds / 10, seconds / -(-seconds // 1.0))
    buckets = round(seconds / width)
    now = 5.0
    window = TimeWindow(seconds, now)
    reported: list[tuple[int, int]] = []
    for result, pause in steps:
        now += pause
        window.add(result, now)
        reported.append((int(now // window._width), result))
    newest = int(now // window._width)
    window.advance(now)
    assert totals(window) == expected([r for index, r in reported if index > newest - buckets])


@pytest.mark.parametrize(("later", "volume"), [(29.0, 1), (29.999, 1), (30.0, 0), (30.5, 0), (59.0, 0), (9999.0, 0)])
def test_a_result_leaves_a_time_window_with_its_bucket(later: float, volume: int) -> None:
    """A result at the beginning of a bucket stays for the whole window, to the second."""
    window = TimeWindow(30.0, 100.0)
    window.add(FAILED, 100.0)
    window.advance(100.0 + later)
    assert window.volume == volume


def test_a_clock_that_goes_back_leaves_results_in_the_newest_bucket() -> None:
    """Results reported at an earlier time than known are kept as if they came now."""
    window = TimeWindow(10.0, 100.0)
    window.add(FAILED, 100.0)
    window.add(FAILED, 50.0)
    window.advance(50.0)
    assert totals(window) == (2, 2, 0)


def test_a_long_pause_costs_no_more_than_one_round_of_buckets() -> None:
    """After a year of silence the window is empty, and the update did not walk every second of it."""
    window = TimeWindow(3_600.0, 0.0)
    window.add(SLOW, 0.0)
    window.add(0, 31_536_000.0)
    assert totals(window) == (1, 0, 0)
