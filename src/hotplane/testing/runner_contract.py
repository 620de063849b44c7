"""What every runner promises, whoever wrote it: one check for each promise, for any test framework.

Imports `plugins`, `records`, `routing` and this room. Parametrize a test over `RUNNER_CONTRACT`, and await each with a
runner that is started and can run the programs of `hotplane.testing.runner_programs`.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, cast

from hotplane.plugins import ProgramFailed, Runner
from hotplane.records import Task
from hotplane.routing.verdicts import TIMEOUT, Blame, Executed, Verdict, judge
from hotplane.testing import runner_programs
from hotplane.testing.broken import ContractBroken, require
from hotplane.values import Json

__all__ = ["RUNNER_CONTRACT", "RunnerPromise", "assert_runner_contract", "contract_task"]

RunnerPromise: TypeAlias = Callable[[Runner[Any]], Awaitable[None]]

_BOUND = 30.0
_GRACE = 0.25
_TRIES = 5
_MISSES = 2
_VALUES: tuple[Json, ...] = (
    None, False, 0, "", [], {}, -(2**63), 2**64 - 1, 1.5, 1e308, 5e-324,
    "naïve ☃ 𝄞 \x00 \u2028", {"ключ": ["値", {"": None}]}, [[[[[[[[1]]]]]]]],
)  # fmt: skip


async def _quickest(measure: Callable[[], Awaitable[float]], limit: float) -> float:
    """Return the seconds of the first try within a limit, else of the quickest: any machine stands still at times."""
    quickest = math.inf
    for _ in range(_TRIES):
        quickest = min(quickest, await measure())
        if quickest < limit:
            break
    return quickest


async def _mostly(attempt: Callable[[], Awaitable[str]]) -> None:
    """Try until all was well five times; any machine stands still at times, but not in three tries out of so few.

    Args:
        attempt: Returns what was wrong where the machine may be the cause; nothing where all was well.

    Raises:
        ContractBroken: Something was wrong for the third time.
    """
    kept = missed = 0
    while kept < _TRIES:
        wrong = await attempt()
        kept, missed = (kept, missed + 1) if wrong else (kept + 1, missed)
        require(missed <= _MISSES, wrong)


def contract_task(function: str) -> Task:
    """Return a task that runs one of `runner_programs`."""
    return Task(id="contract", program=f"{runner_programs.__name__}:{function}")


async def assert_runner_contract(runner: Runner[Any]) -> None:
    """Check every promise on a runner that is started.

    Raises:
        ContractBroken: It breaks one; the message names it.
    """
    for name, promise in RUNNER_CONTRACT.items():
        try:
            await promise(runner)
        except ContractBroken as error:
            raise ContractBroken(f"{name}: {error}") from error


async def _run(runner: Runner[Any], function: str, input: Json, deadline: float = _BOUND) -> Json:
    answer = cast("Awaitable[Json] | Json", runner.run(contract_task(function), input, deadline))
    if not isinstance(answer, Awaitable):
        found = type(answer).__name__
        raise ContractBroken(f"`run` returns {found}, which cannot be awaited; write `async def run`")
    return await answer


async def _verdict(runner: Runner[Any], function: str, input: Json, deadline: float = _BOUND) -> Verdict:
    try:
        output = await _run(runner, function, input, deadline)
    except ContractBroken:
        raise
    except Exception as error:
        return judge(error)
    raise ContractBroken(f"the program `{function}` must not succeed, and it returned {output!r:.100}")


async def _values_go_there_and_back(runner: Runner[Any]) -> None:
    """Whatever JSON can hold arrives at the program, and its answer arrives here, with the types that it had."""
    for function in ("echo", "echo_async"):
        for value in _VALUES:
            output = await _run(runner, function, value)
            require((output, type(output)) == (value, type(value)), f"{value!r} came back as {output!r:.100}")


async def _an_error_is_the_programs(runner: Runner[Any]) -> None:
    """What a program raises comes with its type and message, and speaks for the runner."""
    for function in ("fail", "fail_async"):
        try:
            await _run(runner, function, "x")
        except ProgramFailed as error:
            found = error.failure.type, error.failure.message
            require(found == ("LookupError", "no such thing: x ✗"), f"the program's LookupError came as {found}")
            require(judge(error).blame is Blame.SUCCESS, "a program's own error speaks against the runner")
        except ContractBroken:
            raise
        except Exception as error:
            raise ContractBroken(f"a program's error came as {type(error).__name__}, not as ProgramFailed") from error
        else:
            raise ContractBroken("a program that raises was said to have succeeded")


async def _what_is_not_json_is_refused(runner: Runner[Any]) -> None:
    """An output outside of the data model is the program's failure, by every runner in the same word."""
    for name in runner_programs.OUTPUTS:
        found = await _verdict(runner, "not_json", name)
        words = found.outcome, found.failure.type
        require(words == ("program-error", "not-json"), f"the output {name} gave {words}, not a failure `not-json`")


async def _nesting_has_a_limit(runner: Runner[Any]) -> None:
    """64 lists in each other pass, 65 are refused."""
    require(await _run(runner, "nest", 64) == runner_programs.nest(64), "64 lists in each other did not pass")
    found = await _verdict(runner, "nest", 65)
    require(found.failure.type == "not-json", f"65 lists in each other gave {found.failure.type!r}, not `not-json`")


async def _an_unknown_program_was_not_executed(runner: Runner[Any]) -> None:
    """A program that is not there may be tried elsewhere and speaks neither for nor against the runner."""
    found = await _verdict(runner, "nowhere", None)
    said = found.executed, found.blame
    require(said == (Executed.NO, Blame.NOTHING), f"a program that is not there gave {found.outcome!r}: {said}")


async def _the_deadline_is_kept(runner: Runner[Any]) -> None:
    """A program that takes too long is given up at its deadline."""
    quickest = math.inf

    async def overrun() -> str:
        nonlocal quickest
        began = time.perf_counter()
        found = await _verdict(runner, "pause", 30, deadline=0.2)
        took = time.perf_counter() - began
        require(took > 0.15, f"a deadline of 0.2 s ended after {took:.2f} s")
        if found.outcome == TIMEOUT:
            quickest = min(quickest, took)
            return ""
        wrong = f"an overrun deadline gave {found.outcome!r}, not {TIMEOUT!r}"
        require(found.executed is Executed.NO, wrong)  # it may have passed before the program was asked for
        return wrong

    await _mostly(overrun)
    require(quickest < 0.2 + _GRACE, f"a deadline of 0.2 s ended after {quickest:.2f} s")


async def _a_slow_program_does_not_speak_against_it(runner: Runner[Any]) -> None:
    """Where it is the program that is slow, the runner's breaker hears of no failure."""

    async def overrun() -> str:
        found = await _verdict(runner, "pause", 30, deadline=0.1)
        if found.blame is Blame.SUCCESS:
            return ""
        wrong = f"a slow program speaks against the runner ({found.outcome!r}); raise ProgramOverran"
        # The deadline may have passed before the program was asked for, which is rightly the runner's.
        require(found.outcome == TIMEOUT or found.executed is Executed.NO, wrong)
        return wrong

    await _mostly(overrun)


async def _a_cancelled_call_ends_at_once(runner: Runner[Any]) -> None:
    """Who gives up a call is free at once, and the runner goes on working."""

    async def cancel() -> float:
        call = asyncio.ensure_future(_run(runner, "pause", 30))
        await asyncio.sleep(0.05)
        began = time.perf_counter()
        call.cancel()
        await asyncio.wait((call,), timeout=_BOUND)
        took = time.perf_counter() - began
        require(call.cancelled(), "a cancelled call did not end as cancelled")
        return took

    took = await _quickest(cancel, _GRACE)
    require(took < _GRACE, f"a cancelled call ended only after {took:.2f} s")
    require(await _run(runner, "echo", 1) == 1, "after a cancelled call it does not work")


async def _calls_run_side_by_side(runner: Runner[Any]) -> None:
    """Fifty calls of a tenth of a second take much less than five seconds, and each gets its own answer."""
    seconds = [0.1 + number / 10_000 for number in range(50)]

    async def run_all() -> float:
        began = time.perf_counter()
        outputs = await asyncio.gather(*(_run(runner, "pause", each) for each in seconds))
        require(outputs == seconds, "calls side by side got each other's answers")
        return time.perf_counter() - began

    took = await _quickest(run_all, 2)
    require(took < 2, f"fifty calls of 0.1 s side by side took {took:.1f} s")


async def _a_large_value_passes(runner: Runner[Any]) -> None:
    """Eight megabytes go there and back."""
    value = {"text": "x" * 8_000_000}
    require(await _run(runner, "echo", value) == value, "eight megabytes did not come back")


async def _the_input_stays_as_it_was(runner: Runner[Any]) -> None:
    """A program that changes its input changes a copy."""
    value: dict[str, Json] = {"items": [1]}
    output = await _run(runner, "spoil", value)
    require(output == {"items": [1, "changed"], "new": True}, f"a program that changes its input gave {output!r:.100}")
    require(value == {"items": [1]}, "the program could change the caller's input")


async def _the_output_is_the_callers_own(runner: Runner[Any]) -> None:
    """Changing an output does not change what the program goes on using."""
    output = await _run(runner, "shared", None)
    if not isinstance(output, list):
        raise ContractBroken(f"a list came back as {type(output).__name__}")
    output.append(4)
    require(await _run(runner, "shared", None) == [1, 2, 3], "the caller could change what belongs to the program")


async def _failures_do_not_wear_it_out(runner: Runner[Any]) -> None:
    """After errors of every kind a runner works as before."""
    for function in ("fail", "not_json", "nowhere"):
        await _verdict(runner, function, "nan")
    await _verdict(runner, "pause", 30, deadline=0.05)
    require(await _run(runner, "echo", "fine") == "fine", "after some failures it does not work")


RUNNER_CONTRACT: Mapping[str, RunnerPromise] = MappingProxyType(
    {
        "values go there and back": _values_go_there_and_back,
        "an error is the program's": _an_error_is_the_programs,
        "what is not JSON is refused": _what_is_not_json_is_refused,
        "nesting has a limit": _nesting_has_a_limit,
        "an unknown program was not executed": _an_unknown_program_was_not_executed,
        "the deadline is kept": _the_deadline_is_kept,
        "a slow program does not speak against it": _a_slow_program_does_not_speak_against_it,
        "a cancelled call ends at once": _a_cancelled_call_ends_at_once,
        "calls run side by side": _calls_run_side_by_side,
        "a large value passes": _a_large_value_passes,
        "the input stays as it was": _the_input_stays_as_it_was,
        "the output is the caller's own": _the_output_is_the_callers_own,
        "failures do not wear it out": _failures_do_not_wear_it_out,
    }
)
"""Each promise by its name."""
