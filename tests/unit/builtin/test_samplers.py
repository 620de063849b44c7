"""The samplers: rates are kept, answers repeat, and nothing depends on the neighbours."""

import hashlib
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hotplane.builtin.samplers.percentage import PercentageConfig, PercentageSampler
from hotplane.builtin.samplers.time_based import TimeBasedConfig, TimeBasedSampler
from hotplane.identity import SAMPLING_RANGE, new_id, sampling_point
from hotplane.plugins import SamplingContext
from hotplane.records import Execution, ExecutionStatus, Task

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
IDS = tuple(new_id() for _ in range(20_000))
"""Minted in one tight loop, so that thousands share a millisecond."""
RATES = (0.0, 0.3, 0.45, 0.6, 0.9, 1.0)

ids = st.text("abcdefXYZ0189._:-", min_size=1, max_size=64)


def ask(sampler, *, execution_id="e", rate=None, minted=True, point=0, last=None):
    """Return the sampler's answer."""
    execution = Execution(
        id=execution_id,
        task_id="t",
        program="m:f",
        status=ExecutionStatus.SUCCESS,
        input=None,
        started_at=NOW,
        minted=minted,
    )
    context = SamplingContext(
        task=Task(id="t", program="m:f", sampling_rate=rate),
        rate=rate,
        total=0,
        sampled=0,
        last_sample_at=last,
        now=NOW,
        point=point,
        configuration=sampler.config,
    )
    return sampler.should_sample(execution, context)


def picks(rate, execution_ids=IDS, *, minted=True):
    """Return for each id whether the percentage sampler picks it."""
    sampler = PercentageSampler()
    return [
        ask(sampler, execution_id=one, rate=rate, minted=minted, point=sampling_point(one, minted=minted)).sampled
        for one in execution_ids
    ]


@pytest.mark.parametrize("rate", RATES)
def test_the_rate_is_kept(rate):
    """Of 10 000 ids minted in a tight loop the promised share is picked, within five standard deviations."""
    count = 10_000
    assert abs(sum(picks(rate, IDS[:count])) - count * rate) <= 5 * sqrt(count * rate * (1 - rate))


@pytest.mark.parametrize("rate", [rate for rate in RATES if 0 < rate < 1])
def test_neighbours_are_independent(rate):
    """Whether an id is picked says nothing about the next one: the correlation at lag 1 is noise."""
    deviations = [picked - rate for picked in picks(rate)]
    correlation = sum(a * b for a, b in pairwise(deviations)) / (len(deviations) * rate * (1 - rate))
    assert abs(correlation) < 5 / sqrt(len(deviations))


def test_a_higher_rate_keeps_the_sample_of_a_lower_one():
    """Raising the rate only adds."""
    samples = [{one for one, picked in zip(IDS, picks(rate), strict=True) if picked} for rate in RATES]
    assert all(lower <= higher for lower, higher in pairwise(samples))
    assert (len(samples[0]), len(samples[-1])) == (0, len(IDS))


@given(st.uuids(version=4), st.floats(0, 1))
def test_a_minted_id_is_picked_by_its_low_56_bits(one, rate):
    """The answer is the one of the rule R ≥ 2^56·(1-p), worked out here a second time."""
    assert picks(rate, [str(one)]) == [one.int % 2**56 >= 2**56 * (1 - rate)]


@given(ids, st.floats(0, 1))
def test_an_id_of_the_callers_is_hashed(one, rate):
    """The answer is the one that BLAKE2b with 56 bits gives, worked out here a second time."""
    digits = hashlib.blake2b(one.encode(), digest_size=7).hexdigest()
    expected = int(digits, 16) >= SAMPLING_RANGE * (1 - rate)
    assert picks(rate, [one], minted=False) == [expected]


@given(ids, st.floats(0, 1), st.floats(0, 1))
def test_the_same_id_gets_the_same_answer_and_keeps_it_at_a_higher_rate(one, first, second):
    """Answers repeat, over samplers and over time."""
    low, high = sorted((first, second))
    assert picks(low, [one], minted=False) == picks(low, [one], minted=False)
    assert picks(low, [one], minted=False) <= picks(high, [one], minted=False)


@pytest.mark.parametrize("rate", RATES)
def test_hashed_ids_keep_the_rate_too(rate):
    """Ids that only count up are spread as evenly as random ones."""
    count = 20_000
    picked = sum(picks(rate, [f"order-{number}" for number in range(count)], minted=False))
    assert abs(picked - count * rate) <= 5 * sqrt(count * rate * (1 - rate))


def test_the_tasks_rate_wins_over_the_samplers():
    """The configured rate is for tasks without their own, and the probability is told either way."""
    sampler = PercentageSampler(PercentageConfig(sampling_rate=1.0))
    own, tasks = ask(sampler), ask(sampler, rate=0.0)
    assert (own.sampled, own.probability, own.reason) == (True, 1.0, "the sampler's rate is 1")
    assert (tasks.sampled, tasks.probability, tasks.reason) == (False, 0.0, "the task's rate is 0")


def test_the_percentage_sampler_may_stand_for_the_population():
    """It declares itself probabilistic, and picks a tenth unless told otherwise."""
    assert PercentageSampler.probabilistic
    assert PercentageSampler().config.sampling_rate == 0.1
    assert not TimeBasedSampler.probabilistic


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), "often"])
def test_a_rate_outside_zero_to_one_is_refused(rate):
    """A probability is a probability."""
    with pytest.raises(ValidationError):
        PercentageConfig(sampling_rate=rate)


@pytest.mark.parametrize(
    ("seconds_ago", "sampled"),
    [(None, True), (0, False), (299.999, False), (300, True), (86_400, True), (-1, False), (-86_400, True)],
)
def test_a_sample_is_due_when_the_last_one_is_old_enough(seconds_ago, sampled):
    """Also when there was none, and when the clock was set back so far that waiting makes no sense."""
    last = None if seconds_ago is None else NOW - timedelta(seconds=seconds_ago)
    answer = ask(TimeBasedSampler(), last=last)
    assert (answer.sampled, answer.probability) == (sampled, None)


def test_the_interval_is_configured():
    """Five minutes is only the default."""
    sampler = TimeBasedSampler(TimeBasedConfig(interval_seconds=1.5))
    answer = ask(sampler, last=NOW - timedelta(seconds=1.5))
    assert (answer.sampled, answer.metadata) == (True, {"elapsed_seconds": 1.5})


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf")])
def test_an_interval_that_makes_no_sense_is_refused(interval):
    """An interval is a positive number of seconds."""
    with pytest.raises(ValidationError):
        TimeBasedConfig(interval_seconds=interval)
