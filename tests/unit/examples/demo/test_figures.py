"""The statistics, against values from the literature and against simulation."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.demo.figures import estimate_share, percentile, wilson


@pytest.mark.parametrize(("percent", "value"), [(0, 15), (25, 20), (40, 29), (50, 35), (90, 46), (100, 50)])
def test_percentiles_interpolate_between_ranks(percent: float, value: float):
    """Definition 7 of Hyndman and Fan, on 15, 20, 35, 40, 50."""
    assert percentile([50, 15, 40, 20, 35], percent) == pytest.approx(value)


def test_the_percentile_of_one_value_is_that_value():
    """A single observation is every percentile."""
    assert percentile([3.5], 99) == 3.5


def test_nothing_has_no_percentile():
    """An empty sample is refused."""
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_matches_published_intervals(successes: float, trials: float, low: float, high: float):
    """The score interval without continuity correction, to four digits."""
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_no_trials_say_nothing():
    """Without trials every share is possible."""
    assert wilson(0, 0) == (0.0, 1.0)


@given(trials=st.integers(1, 10_000), share=st.floats(0, 1), confidence=st.floats(0.5, 0.999))
def test_wilson_holds_the_share_and_stays_a_share(trials: int, share: float, confidence: float):
    """The interval lies in [0, 1] around the observed share."""
    low, high = wilson(share * trials, trials, confidence)
    assert 0.0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1.0


def test_equal_probabilities_give_the_plain_share():
    """With one probability for all, the estimate is the share with Wilson's interval on the count."""
    estimate = estimate_share([(True, 0.3)] * 81 + [(False, 0.3)] * 182)
    assert estimate is not None
    assert estimate.share == pytest.approx(81 / 263)
    assert (estimate.low, estimate.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_unequal_probabilities_are_weighed():
    """One observation picked with 1/9 stands for nine, so that with one of probability 1 the share is 9/10."""
    estimate = estimate_share([(True, 1 / 9), (False, 1.0)])
    assert estimate is not None
    assert estimate.share == pytest.approx(0.9)
    assert (estimate.low, estimate.high) == pytest.approx(wilson(0.9 * 100 / 82, 100 / 82))


def test_an_empty_sample_has_no_estimate():
    """Nothing is estimated from nothing."""
    assert estimate_share([]) is None


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    """Of 1 000 samples at 30 % from a population that is 97 % right, 92 to 99 % give an interval that holds 97 %."""
    random = Random(7)
    covered = 0
    for _ in range(1_000):
        picked = [(random.random() < 0.97, 0.3) for _ in range(400) if random.random() < 0.3]
        estimate = estimate_share(picked)
        covered += estimate is not None and estimate.low <= 0.97 <= estimate.high
    assert 920 <= covered <= 990
