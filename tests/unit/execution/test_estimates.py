"""What picks say about everything: the estimate, its interval, and how often that holds the truth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.errors import Invalid
from hotplane.execution.estimates import NO_PICKS, NO_VERDICTS, Picks, estimate, estimate_all
from tests.unit.execution.coverage import (
    BY_IDS,
    GRID,
    SHIFTED,
    STEADY,
    Population,
    draw_binomial,
    draw_by_ids,
    measure,
)

PROBABILITIES = st.sampled_from([0.001, 0.01, 0.1, 0.3, 0.5, 0.9, 1.0])
PICKS = st.lists(st.tuples(st.integers(1, 500), PROBABILITIES), max_size=4).map(
    lambda parts: sum((Picks.of(count, probability) for count, probability in parts), start=Picks())
)
NONE = Picks()


@pytest.mark.parametrize("population", GRID, ids=lambda population: population.name)
def test_the_interval_holds_the_truth_as_often_as_it_says(population: Population) -> None:
    """Of 2 000 samples of a known population, 93 to 98 % have the true rate in their interval of 95 %."""
    assert 0.93 <= measure(population, draw_binomial).held <= 0.98


@pytest.mark.parametrize("population", BY_IDS, ids=lambda population: population.name)
def test_the_rule_itself_draws_such_samples(population: Population) -> None:
    """The same holds where every id is asked about with the host's own sampling rule."""
    assert 0.93 <= measure(population, draw_by_ids).held <= 0.98


@pytest.mark.parametrize("population", STEADY, ids=lambda population: population.name)
def test_a_changed_rate_does_no_harm(population: Population) -> None:
    """The same holds where the sampling rate was changed half-way."""
    assert 0.93 <= measure(population, draw_binomial).held <= 0.98


@pytest.mark.parametrize("population", SHIFTED, ids=lambda population: population.name)
def test_a_rate_that_follows_the_quality_never_makes_the_interval_too_narrow(population: Population) -> None:
    """Where rate and quality changed together the interval may be too wide, and is not too narrow."""
    assert measure(population, draw_binomial).held >= 0.93


def test_the_interval_is_wilsons() -> None:
    """10 failures of 100 picks of a huge population give the interval of the textbook."""
    found = estimate(Picks.of(10, 1e-9), Picks.of(90, 1e-9))
    assert found.value == pytest.approx(0.1)
    assert (found.low, found.high) == (pytest.approx(0.0552, abs=1e-4), pytest.approx(0.1744, abs=1e-4))


def test_no_failures_still_have_an_upper_bound() -> None:
    """Nothing wrong among 20 picks does not mean that nothing is wrong."""
    found = estimate(NONE, Picks.of(20, 0.01))
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(0.1611, abs=1e-4)


def test_no_failures_are_bounded_by_the_least_probable() -> None:
    """Failures may hide where little was picked: 5 picks with 1 % count for more doubt than 1 000 with 50 %."""
    alone = estimate(NONE, Picks.of(5, 0.01)).high
    mixed = estimate(NONE, Picks.of(5, 0.01) + Picks.of(1_000, 0.5)).high
    assert 0.1 < mixed < alone


def test_nothing_is_uncertain_when_everything_was_picked() -> None:
    """At probability 1 the rate is known, with and without failures."""
    some = estimate(Picks.of(3, 1.0), Picks.of(97, 1.0), population=100)
    none = estimate(NONE, Picks.of(100, 1.0), population=100)
    assert (some.low, some.value, some.high) == (0.03, 0.03, 0.03)
    assert (none.low, none.value, none.high) == (0.0, 0.0, 0.0)


def test_the_process_stays_uncertain_when_everything_was_picked() -> None:
    """What all executions say about the program that made them is a sample again."""
    found = estimate(Picks.of(10, 1.0), Picks.of(90, 1.0), population=100, finite=False)
    assert (found.low, found.high) == (pytest.approx(0.0552, abs=1e-4), pytest.approx(0.1744, abs=1e-4))


def test_a_pick_stands_for_as_many_as_its_probability_says() -> None:
    """10 of 100 at 10 % and 10 of 100 at 50 % are a tenth together; 10 and 50 are weighted, 5 to 1."""
    even = estimate(Picks.of(10, 0.1) + Picks.of(10, 0.5), Picks.of(90, 0.1) + Picks.of(90, 0.5))
    uneven = estimate(Picks.of(10, 0.1) + Picks.of(50, 0.5), Picks.of(90, 0.1) + Picks.of(50, 0.5))
    assert even.value == pytest.approx(0.1)
    assert uneven.value == pytest.approx((10 * 10 + 50 * 2) / (100 * 10 + 100 * 2))


def test_no_picks_have_no_estimate() -> None:
    """Null, with the reason."""
    found = estimate_all(NONE, NONE, NONE, population=500)
    assert (found.failure_rate, found.best_case, found.worst_case, found.reason) == (None, None, None, NO_PICKS)


def test_picks_that_could_not_be_judged_leave_only_bounds() -> None:
    """Between everything right and everything wrong nothing is known, and the reason is given."""
    found = estimate_all(NONE, NONE, Picks.of(20, 0.1), population=200)
    assert (found.failure_rate, found.reason) == (None, NO_VERDICTS)
    assert found.best_case is not None
    assert found.worst_case is not None
    assert (found.best_case.value, found.worst_case.value) == (0.0, 1.0)


def test_what_could_not_be_judged_is_bounded_apart() -> None:
    """The rate is of those that were judged; the best case adds the others as right, the worst as wrong."""
    found = estimate_all(Picks.of(10, 0.1), Picks.of(70, 0.1), Picks.of(20, 0.1))
    assert found.failure_rate is not None
    assert found.best_case is not None
    assert found.worst_case is not None
    rates = found.failure_rate.value, found.best_case.value, found.worst_case.value
    assert rates == (pytest.approx(10 / 80), pytest.approx(10 / 100), pytest.approx(30 / 100))
    assert found.effective_size == pytest.approx(80)


def test_accuracy_is_the_complement() -> None:
    """Its interval is turned round."""
    found = estimate(Picks.of(10, 0.01), Picks.of(90, 0.01))
    accuracy = found.complement()
    assert (accuracy.value, accuracy.low, accuracy.high) == (1 - found.value, 1 - found.high, 1 - found.low)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.1, 95.0, float("nan")])
def test_a_confidence_is_a_share(confidence: float) -> None:
    """Certainty, a percentage and no number at all are refused, also where there is nothing to estimate."""
    with pytest.raises(Invalid, match="between 0 and 1"):
        estimate_all(NONE, NONE, NONE, confidence=confidence)


@given(PICKS, PICKS, PICKS)
def test_estimates_are_in_order(failed: Picks, passed: Picks, unjudged: Picks) -> None:
    """0 ≤ low ≤ value ≤ high ≤ 1, and best case ≤ rate ≤ worst case."""
    found = estimate_all(failed, passed, unjudged)
    for each in (found.failure_rate, found.best_case, found.worst_case):
        assert each is None or 0.0 <= each.low <= each.value <= each.high <= 1.0
    if found.failure_rate and found.best_case and found.worst_case:
        values = found.best_case.value, found.failure_rate.value, found.worst_case.value
        assert values[0] <= values[1] + 1e-12
        assert values[1] <= values[2] + 1e-12


@given(PICKS, PICKS, st.floats(0.5, 0.99), st.floats(0.0, 0.009))
def test_more_confidence_needs_a_wider_interval(failed: Picks, passed: Picks, confidence: float, more: float) -> None:
    """A higher confidence never gives a narrower interval."""
    if failed.count + passed.count:
        sure = estimate(failed, passed, confidence=confidence + more)
        less = estimate(failed, passed, confidence=confidence)
        assert sure.low <= less.low + 1e-12
        assert sure.high >= less.high - 1e-12


@given(PICKS, PICKS)
def test_failures_and_passes_are_treated_alike(failed: Picks, passed: Picks) -> None:
    """Exchanging them gives the complement."""
    if failed.count + passed.count:
        one, other = estimate(failed, passed), estimate(passed, failed).complement()
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), abs=1e-9)
