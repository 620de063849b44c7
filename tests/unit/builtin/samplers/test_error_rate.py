"""`error-rate-sampler`: picks while a task fails too often."""

import random
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hotplane.builtin.samplers.error_rate import ErrorRateConfig
from hotplane.builtin.samplers.failure_windows import CountWindow, TimeWindow


async def test_everything_is_picked_while_the_rate_exceeds_the_threshold(make, ask):
    """The good executions too, until the window has forgotten the failures."""
    sampler = await make("error-rate-sampler", threshold=0.2, window_calls=10, minimum_calls=5)
    answers = [ask(sampler, ok=ok).sampled for ok in (True, True, True, True, False, False, *[True] * 12)]
    assert answers[:5] == [False] * 5  # 1 of 5 is 20 %, which does not exceed 20 %
    assert answers[5:11] == [True, True, True, True, False, False]  # 2 of 6, 7, 8, 9; 2 of 10 is 20 %
    assert not any(answers[11:])


async def test_few_executions_say_nothing(make, ask):
    """Below the minimum nothing is picked, whatever the rate."""
    sampler = await make("error-rate-sampler", minimum_calls=3, window_calls=10)
    assert [ask(sampler, ok=False).sampled for _ in range(4)] == [False, False, True, True]


async def test_tasks_are_judged_apart(make, ask):
    """One task's failures do not have another task's executions picked."""
    sampler = await make("error-rate-sampler", minimum_calls=1)
    assert ask(sampler, ok=False, task="bad").sampled
    assert not ask(sampler, ok=True, task="good").sampled


async def test_a_window_of_time_forgets_by_itself(make, ask, clock):
    """After a quiet minute the old failures do not count."""
    sampler = await make("error-rate-sampler", window="time", window_seconds=60, minimum_calls=1)
    assert ask(sampler, ok=False).sampled
    clock.advance(60)
    assert not ask(sampler, ok=True).sampled


async def test_what_another_sampler_picked_counts_too(make, ask, executions):
    """An execution that it is not consulted on is in the window all the same."""
    sampler = await make("error-rate-sampler", minimum_calls=2, window_calls=10)
    assert sampler.observes
    sampler.observe(executions.make(ok=False))
    assert ask(sampler, ok=True).metadata == {"failure_rate": 0.5, "calls": 2}


async def test_the_number_of_tasks_is_bounded(make, ask):
    """The task not seen for longest begins anew."""
    sampler = await make("error-rate-sampler", minimum_calls=1)
    for number in range(1_001):
        ask(sampler, ok=False, task=f"t{number}")
    assert ask(sampler, ok=True, task="t0").metadata["calls"] == 1
    assert ask(sampler, ok=True, task="t1000").metadata["calls"] == 2


def test_a_minimum_that_no_window_reaches_is_refused():
    """It would never pick anything."""
    with pytest.raises(ValidationError, match="nothing would ever be picked"):
        ErrorRateConfig(window_calls=10, minimum_calls=11)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 12))
def test_a_count_window_holds_the_newest_results(results, size):
    """Its totals are those of a plain queue."""
    window, model = CountWindow(size), deque(maxlen=size)
    for failed in results:
        window.add(failed, 0.0)
        model.append(failed)
        assert (window.calls, window.failures) == (len(model), sum(model))


def test_a_time_window_holds_what_is_new_enough():
    """Its totals lie between those of the window and of the window less one bucket, at every moment."""
    chance, window, seconds = random.Random(5), TimeWindow(30.0), 0.0
    seen: list[tuple[float, bool]] = []
    for _ in range(3_000):
        seconds += chance.expovariate(5) if chance.random() < 0.999 else 40.0
        failed = chance.random() < 0.3
        window.add(failed, seconds)
        seen.append((seconds, failed))
        most = [each for each in seen if each[0] > seconds - 30.0]
        least = [each for each in seen if each[0] > seconds - 29.0 + 1e-9]
        assert len(least) <= window.calls <= len(most)
        assert sum(f for _, f in least) <= window.failures <= sum(f for _, f in most)
