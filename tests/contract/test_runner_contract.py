"""What every runner promises, whoever wrote it: one suite for all of them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from hotplane.plugins import ProgramFailed, Runner
from hotplane.records import Task
from hotplane.routing.verdicts import TIMEOUT, Blame, Executed, Verdict, judge
from hotplane.values import Json
from tests.contract import runner_programs

BOUND = 10.0
GRACE = 0.25


def task(function: str) -> Task:
    """Return a task that runs one of the suite's programs."""
    return Task(id="contract", program=f"tests.contract.runner_programs:{function}")


async def run(runner: Runner[Any], function: str, input: Json, deadline: float = BOUND) -> Json:
    """Run one of the suite's programs."""
    return await runner.run(task(function), input, deadline)


async def verdict(runner: Runner[Any], function: str, input: Json, deadline: float = BOUND) -> Verdict:
    """Run a program that must not succeed and say what its failure means."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which exceptions may come is what `judge` says
        await run(runner, function, input, deadline)
    return judge(raised.value)


VALUES = [
    None, False, 0, "", [], {}, -(2**63), 2**64 - 1, 1.5, 1e308, 5e-324,
    "naïve ☃ 𝄞 \x00 \u2028", {"ключ": ["値", {"": None}]}, [[[[[[[[1]]]]]]]],
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("function", ["echo", "echo_async"])
async def test_a_value_goes_there_and_back(runner: Runner[Any], function: str, value: Json):
    """Whatever JSON can hold arrives at the program, and its answer arrives here, with the types that it had."""
    output = await run(runner, function, value)
    assert (output, type(output)) == (value, type(value))


@pytest.mark.parametrize("function", ["fail", "fail_async"])
async def test_a_programs_error_is_the_programs(runner: Runner[Any], function: str):
    """What a program raises comes with its type and message, and speaks for the runner."""
    with pytest.raises(ProgramFailed) as raised:
        await run(runner, function, "x")
    assert (raised.value.failure.type, raised.value.failure.message) == ("LookupError", "no such thing: x ✗")
    assert judge(raised.value).blame is Blame.SUCCESS


@pytest.mark.parametrize("name", runner_programs.OUTPUTS)
async def test_what_is_not_json_is_refused_alike(runner: Runner[Any], name: str):
    """An output outside of the data model is the program's failure, by every runner in the same word."""
    found = await verdict(runner, "not_json", name)
    assert (found.outcome, found.failure.type) == ("program-error", "not-json")


async def test_nesting_has_the_same_limit_everywhere(runner: Runner[Any]):
    """64 lists in each other pass, 65 are refused."""
    assert await run(runner, "nest", 64) == runner_programs.nest(64)
    assert (await verdict(runner, "nest", 65)).failure.type == "not-json"


async def test_an_unknown_program_was_not_executed(runner: Runner[Any]):
    """A program that is not there may be tried elsewhere and speaks neither for nor against the runner."""
    found = await verdict(runner, "nowhere", None)
    assert (found.executed, found.blame) == (Executed.NO, Blame.NOTHING)


async def test_the_deadline_is_kept(runner: Runner[Any]):
    """A program that takes too long is given up at its deadline."""
    began = time.perf_counter()
    found = await verdict(runner, "pause", 30, deadline=0.2)
    assert found.outcome == TIMEOUT
    assert 0.15 < time.perf_counter() - began < 0.2 + GRACE


async def test_a_slow_program_does_not_speak_against_the_runner(runner: Runner[Any]):
    """Where it is the program that is slow, the runner's breaker hears of no failure."""
    found = await verdict(runner, "pause", 30, deadline=0.1)
    assert found.blame is Blame.SUCCESS


async def test_a_cancelled_call_ends_at_once(runner: Runner[Any]):
    """Who gives up a call is free at once, and the runner goes on working."""
    call = asyncio.ensure_future(run(runner, "pause", 30))
    await asyncio.sleep(0.05)
    began = time.perf_counter()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert time.perf_counter() - began < GRACE
    assert await run(runner, "echo", 1) == 1


async def test_calls_run_side_by_side(runner: Runner[Any]):
    """Fifty calls of a tenth of a second take much less than five seconds, and each gets its own answer."""
    seconds = [0.1 + number / 10_000 for number in range(50)]
    began = time.perf_counter()
    assert await asyncio.gather(*(run(runner, "pause", each) for each in seconds)) == seconds
    assert time.perf_counter() - began < 2


@pytest.mark.filterwarnings("ignore:Sending a large body directly")  # aiohttp's, about what HTTP's client does
async def test_a_large_value_passes(runner: Runner[Any]):
    """Eight megabytes go there and back."""
    value = {"text": "x" * 8_000_000}
    assert await run(runner, "echo", value) == value


async def test_the_input_stays_as_it_was(runner: Runner[Any]):
    """A program that changes its input changes a copy."""
    value = {"items": [1]}
    assert await run(runner, "spoil", value) == {"items": [1, "changed"], "new": True}
    assert value == {"items": [1]}


async def test_the_output_is_the_callers_own(runner: Runner[Any]):
    """Changing an output does not change what the program goes on using."""
    output = await run(runner, "shared", None)
    assert isinstance(output, list)
    output.append(4)
    assert await run(runner, "shared", None) == [1, 2, 3]


async def test_failures_do_not_wear_a_runner_out(runner: Runner[Any]):
    """After errors of every kind a runner works as before."""
    for function in ("fail", "not_json", "nowhere"):
        await verdict(runner, function, "nan")
    await verdict(runner, "pause", 30, deadline=0.05)
    assert await run(runner, "echo", "fine") == "fine"
