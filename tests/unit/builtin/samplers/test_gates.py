"""The wrappers `rate-limited` and `budget`: limits on what another sampler picks."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hotplane.builtin import load_builtin
from hotplane.builtin.samplers.always_on_failure import AlwaysOnFailureSampler
from hotplane.builtin.samplers.budget import BudgetConfig, BudgetSampler
from hotplane.builtin.samplers.rate_limited import RateLimitedConfig, RateLimitedSampler
from hotplane.records import SamplerOutcome

ALWAYS = {"type": "percentage-sampler", "configuration": {"sampling_rate": 1.0}}
FAILURES = {"type": "always-on-failure"}


def outcome(answer):
    """Return what became of a pick: true, false, or why it was refused."""
    return True if answer.sampled else answer.outcome or False


async def test_a_bucket_gives_its_burst_and_then_its_rate(make, ask, clock):
    """Three at once, then one every half second."""
    sampler = await make("rate-limited", sampler=ALWAYS, rate_per_second=2, burst=3)
    assert [outcome(ask(sampler)) for _ in range(5)] == [True] * 3 + ["throttled"] * 2
    clock.advance(0.5)
    assert [outcome(ask(sampler)) for _ in range(2)] == [True, "throttled"]
    clock.advance(3600)
    assert [outcome(ask(sampler)) for _ in range(4)] == [True] * 3 + ["throttled"]


async def test_what_the_sampler_inside_leaves_costs_nothing(make, ask):
    """A token is spent only on what is picked."""
    sampler = await make("rate-limited", sampler=FAILURES, rate_per_second=0.001, burst=1)
    assert [outcome(ask(sampler)) for _ in range(100)] == [False] * 100
    assert [outcome(ask(sampler, ok=False)) for _ in range(2)] == [True, "throttled"]


@pytest.mark.parametrize(("per", "seconds"), [("hour", 1_800), ("day", 41_400)])
async def test_a_budget_begins_anew_with_the_hour_or_the_day_of_utc(make, ask, clock, per, seconds):
    """At 12:30 half an hour is left of the hour, and eleven and a half hours of the day."""
    sampler = await make("budget", sampler=ALWAYS, limit=2, per=per)
    assert [outcome(ask(sampler)) for _ in range(3)] == [True, True, "over-budget"]
    clock.advance(seconds - 1)
    assert outcome(ask(sampler)) == "over-budget"
    clock.advance(1)
    assert [outcome(ask(sampler)) for _ in range(3)] == [True, True, "over-budget"]


async def test_a_clock_that_is_set_back_gives_no_second_budget(make, ask, clock):
    """Nor does one that was far ahead keep the budget closed."""
    sampler = await make("budget", sampler=ALWAYS, limit=1, per="hour")
    clock.advance(1_800)
    assert [outcome(ask(sampler)) for _ in range(2)] == [True, "over-budget"]
    clock.day -= timedelta(seconds=10)
    assert outcome(ask(sampler)) == "over-budget"
    clock.day -= timedelta(days=400)
    assert outcome(ask(sampler)) is True


@pytest.mark.parametrize(("outer", "inner"), [("rate-limited", "budget"), ("budget", "rate-limited")])
async def test_of_nested_wrappers_none_spends_when_another_refuses(make, ask, clock, outer, inner):
    """What the rate limit refuses does not use the budget up, whichever is outside, and the other way round."""
    limits = {"rate-limited": {"rate_per_second": 1, "burst": 1}, "budget": {"limit": 3, "per": "day"}}
    nested = {"type": inner, "configuration": {"sampler": ALWAYS, **limits[inner]}}
    sampler = await make(outer, sampler=nested, **limits[outer])
    seen = []
    for _ in range(4):
        seen += [outcome(ask(sampler)) for _ in range(3)]
        clock.advance(1)
    assert [each is True for each in seen] == [True, False, False] * 3 + [False] * 3
    assert (seen[1], seen[9]) == ("throttled", "over-budget")


async def test_a_wrapper_never_stands_for_the_population(make, ask):
    """What it leaves out depends on what came before, so it tells no probability."""
    sampler = await make("budget", sampler=ALWAYS)
    assert not sampler.probabilistic
    assert (ask(sampler).sampled, ask(sampler).probability) == (True, None)


async def test_the_reason_says_both_what_was_refused_and_why(make, ask):
    """The decision record can be read without the configuration."""
    sampler = await make("budget", sampler=FAILURES, limit=1)
    ask(sampler, ok=False)
    assert ask(sampler, ok=False).reason == (
        "the budget of 1 for this day is used up; otherwise: the execution ended as error"
    )


async def test_the_sampler_inside_has_the_clock_and_sees_every_execution(make, ask, clock, executions):
    """A window of time works inside a wrapper, and what is only observed reaches it."""
    inner = {"type": "error-rate-sampler", "configuration": {"window": "time", "minimum_calls": 2}}
    sampler = await make("rate-limited", sampler=inner)
    assert sampler.observes
    sampler.observe(executions.make(ok=False))
    assert ask(sampler, ok=False).sampled
    clock.advance(120)
    assert not ask(sampler, ok=False).sampled


@pytest.mark.parametrize("restart", [True, False])
async def test_what_was_spent_is_kept(make, ask, clock, restart):
    """Over a reload and over a restart, with what the sampler inside remembers."""
    nested = {"type": "rate-limited", "configuration": {"sampler": ALWAYS, "rate_per_second": 0.1, "burst": 2}}
    old = await make("budget", sampler=nested, limit=5)
    ask(old)
    ask(old)
    if restart:
        await old.stop()
        clock.seconds = 7.0  # another process has another monotonic clock
    clock.advance(10)
    new = await make("budget", sampler=nested, limit=5)
    if not restart:
        await new.import_state(await old.export_state())
    assert [outcome(ask(new)) for _ in range(2)] == [True, "throttled"]
    clock.advance(600)
    assert [outcome(ask(new)) for _ in range(3)] == [True, True, "throttled"]
    clock.advance(600)
    assert outcome(ask(new)) == "over-budget"


async def test_another_period_begins_with_the_whole_budget(make, ask, storage):
    """What was used of a day says nothing of the hour."""
    sampler = await make("budget", sampler=ALWAYS, limit=1, per="day")
    ask(sampler)
    await sampler.stop()
    assert outcome(ask(await make("budget", sampler=ALWAYS, limit=1, per="hour"))) is True


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        ({"type": "anomaly-sampeler"}, "did you mean 'anomaly-sampler'"),
        ({"type": "local"}, "there is no sampler type 'local'"),
        ({"type": "percentage-sampler", "configuration": {"sampling_rate": 2}}, "/configuration/sampling_rate: "),
        ({"type": "budget"}, "/configuration/sampler: Field required"),
        ({}, "Field required"),
    ],
)
@pytest.mark.parametrize("wrapper", ["rate-limited", "budget"])
def test_a_sampler_inside_that_cannot_be_is_refused(wrapper, inner, message):
    """Before anything starts, with the place and what may be meant."""
    with pytest.raises(ValidationError, match=message):
        load_builtin(wrapper).Config.model_validate({"sampler": inner})


def test_many_wrappers_in_one_another_are_read_once_each():
    """The time to read them does not double with every level."""
    configuration: dict[str, object] = {"sampler": ALWAYS}
    for _ in range(25):
        configuration = {"sampler": {"type": "budget", "configuration": configuration}}
    sampler = BudgetSampler(BudgetConfig.model_validate(configuration))
    assert len(sampler.gates) == 26


def test_failures_are_picked():
    """Every execution that did not succeed, and nothing else."""
    assert AlwaysOnFailureSampler.metadata.name == "always-on-failure"
    assert not AlwaysOnFailureSampler.probabilistic


async def test_always_on_failure_decides_by_the_status(ask):
    """A success is left, an error is picked."""
    sampler = AlwaysOnFailureSampler()
    assert [ask(sampler, ok=ok).sampled for ok in (True, False)] == [False, True]


steps = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 4)), max_size=40)


@settings(max_examples=50)
@given(steps, st.sampled_from([0.5, 1.0, 3.0]), st.integers(1, 5))
def test_no_stretch_of_time_has_more_picks_than_rate_and_burst_allow(steps, rate, burst):
    """Between any two picks lie at least the tokens for what came between: the bucket's law."""
    seconds = [0.0]
    clock: Any = SimpleNamespace(monotonic=lambda: seconds[0])
    config = RateLimitedConfig.model_validate({"sampler": ALWAYS, "rate_per_second": rate, "burst": burst})
    sampler = RateLimitedSampler(config)
    sampler.begin(clock)
    picks: list[float] = []
    for passed, asks in steps:
        seconds[0] += passed
        for _ in range(asks):
            if not sampler.refused():
                sampler.spend()
                picks.append(seconds[0])
    for first in range(len(picks)):
        for last in range(first, len(picks)):
            assert last - first + 1 <= burst + (picks[last] - picks[first]) * rate + 1e-6
    assert RateLimitedSampler.refusal is SamplerOutcome.THROTTLED
