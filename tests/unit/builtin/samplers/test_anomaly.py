"""`anomaly-sampler`: picks latencies far from the mean, and remembers over reloads and restarts."""

import json
import random
from statistics import fmean, pstdev

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.builtin.samplers.anomaly import Estimate

values = st.lists(st.floats(0, 1e6), min_size=1, max_size=50)


@given(values)
def test_without_forgetting_the_estimate_is_the_ordinary_one(numbers):
    """Mean and standard deviation are those of the textbook, whatever the order."""
    estimate = Estimate()
    for number in numbers:
        estimate.add(number, 0.0)
    assert estimate.mean == pytest.approx(fmean(numbers), abs=1e-6)
    assert estimate.deviation == pytest.approx(pstdev(numbers), rel=1e-6, abs=1e-3)


@given(values, st.floats(0.01, 0.5))
def test_with_forgetting_the_estimate_is_the_weighted_one(numbers, least):
    """Mean and variance are those of all values with the weights that follow from the rule, worked out at once."""
    estimate, weights = Estimate(), list[float]()
    for index, number in enumerate(numbers, 1):
        estimate.add(number, least)
        weight = max(1 / index, least)
        weights = [each * (1 - weight) for each in weights] + [weight]
    mean = sum(w * x for w, x in zip(weights, numbers, strict=True))
    variance = sum(w * (x - mean) ** 2 for w, x in zip(weights, numbers, strict=True))
    assert estimate.mean == pytest.approx(mean, rel=1e-6, abs=1e-6)
    assert estimate.variance == pytest.approx(variance, rel=1e-5, abs=1e-2)


async def warmed_up(make, ask, count=200, mean=10.0, **configuration):
    """Return a sampler that has seen executions of about 10 ± 1 ms."""
    sampler = await make("anomaly-sampler", **configuration)
    chance = random.Random(3)
    for _ in range(count):
        ask(sampler, latency_ms=chance.gauss(mean, 1.0))
    return sampler


@pytest.mark.parametrize(("latency_ms", "both", "one"), [(20, True, True), (1, True, False), (11, False, False)])
async def test_what_is_far_from_the_mean_is_picked(make, ask, latency_ms, both, one):
    """Too slow always; too quick only where both sides are asked for."""
    assert ask(await warmed_up(make, ask), latency_ms=latency_ms).sampled is one
    assert ask(await warmed_up(make, ask, both_sides=True), latency_ms=latency_ms).sampled is both


async def test_about_as_many_are_picked_as_the_normal_curve_says(make, ask):
    """Beyond two standard deviations there are 2.3 % on the one side."""
    sampler, chance = await warmed_up(make, ask, deviations=2.0), random.Random(8)
    picked = sum(ask(sampler, latency_ms=chance.gauss(10, 1)).sampled for _ in range(4_000))
    assert 0.015 < picked / 4_000 < 0.035


async def test_nothing_is_unusual_before_the_minimum(make, ask):
    """The first executions only teach."""
    sampler = await make("anomaly-sampler", minimum_calls=5)
    assert [ask(sampler, latency_ms=ms).sampled for ms in (1, 2, 1, 2, 1000, 100_000)] == [False] * 5 + [True]


async def test_a_task_that_is_slower_for_good_is_unusual_only_for_a_while(make, ask):
    """The estimate forgets the old days."""
    sampler = await warmed_up(make, ask, half_life_calls=20)
    answers = [ask(sampler, latency_ms=30.0 + index % 2).sampled for index in range(200)]
    assert answers[0]
    assert not any(answers[100:])


async def test_only_successes_teach(make, ask):
    """Programs that fail at once do not make the others slow, and a slow failure is unusual all the same."""
    sampler = await warmed_up(make, ask)
    for _ in range(500):
        ask(sampler, ok=False, latency_ms=0.01)
    assert not ask(sampler, latency_ms=11).sampled
    assert ask(sampler, ok=False, latency_ms=500).sampled


async def test_a_reload_keeps_the_estimate(make, ask):
    """The new generation judges as the old one did."""
    old = await warmed_up(make, ask)
    new = await make("anomaly-sampler")
    await new.import_state(await old.export_state())
    assert ask(new, latency_ms=20) == ask(old, latency_ms=20)


async def test_a_restart_keeps_the_estimate(make, ask, storage):
    """What was learnt is stored at the stop, as JSON, and read at the start."""
    sampler = await warmed_up(make, ask)
    await sampler.stop()
    storage.values = json.loads(json.dumps(storage.values))
    assert ask(await make("anomaly-sampler"), latency_ms=20).sampled


@pytest.mark.parametrize("kept", [{"tasks": {"t": [-1, 0, 0]}}, {"tasks": {"t": "x"}}, [], {"tasks": 3}])
async def test_a_state_that_cannot_be_read_is_left_at_a_restart(make, ask, storage, log, kept):
    """The sampler begins anew and says so; at a reload the old generation serves on."""
    storage.values = {"state": kept}
    sampler = await make("anomaly-sampler")
    assert not ask(sampler, latency_ms=20).sampled
    assert log.warnings == ["sampler.state.unreadable"]
    with pytest.raises(msgspec.ValidationError):
        await sampler.import_state(msgspec.json.encode(kept))
