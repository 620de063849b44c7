"""Validators that reject or correct, on real chains."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import UNSET

from hotplane.execution.gating import gate, rejection
from hotplane.execution.settings import ValidationSettings
from hotplane.execution.tasks import Plan
from hotplane.execution.validation import judge, record
from hotplane.identity import new_id
from hotplane.plugins import ValidationContext, Validator
from hotplane.records import (
    Execution,
    ExecutionStatus,
    FieldError,
    PluginMetadata,
    Task,
    ValidationPolicy,
    ValidationResult,
    now,
)
from hotplane.registry import Registry

PLAN = Plan(Task(id="t", program="m:f"))
LONG = 60.0
"""Seconds that nothing takes here."""


def result(valid: bool | None, **more: Any) -> ValidationResult:
    """Return a verdict."""
    return ValidationResult(valid=valid, **more)


class Calling(Validator):
    """Says what a function makes of the output."""

    metadata = PluginMetadata(name="calling", version="1")

    def __init__(self, says: Callable[[Any], ValidationResult]) -> None:
        super().__init__()
        self.says = says
        self.seen: list[Any] = []

    def validate(self, execution: Execution, context: ValidationContext) -> Any:
        self.seen.append(execution.output)
        return self.says(execution.output)


def execution(output: Any = 2, status: ExecutionStatus = ExecutionStatus.SUCCESS) -> Execution:
    """Return an execution as its runner left it."""
    return Execution(id=new_id(), task_id="t", program="m:f", status=status, input=1, output=output, started_at=now())


def chain_of(*links: tuple[str, Callable[[Any], ValidationResult]], on_error: str | None = None) -> Registry:
    """Return a registry with validators named a, b, … of the given modes, in order."""
    registry = Registry()
    for number, (mode, says) in enumerate(links):
        registry.register(Calling(says), id="abcdef"[number], priority=-number, on_fail=mode, on_error=on_error)
    return registry


async def gated(registry: Registry, done: Execution | None = None, **settings: Any) -> Execution:
    """Return what the gates make of an execution."""
    chosen = ValidationSettings(**settings)
    return await gate(registry.chain(Validator), done or execution(), PLAN, LONG, chosen)


def seen(registry: Registry) -> list[list[Any]]:
    """Return the outputs that each validator judged."""
    return [plugin.seen for plugin in registry.list(Validator) if isinstance(plugin, Calling)]


def even(output: Any) -> ValidationResult:
    """Object to odd numbers."""
    return result(output % 2 == 0, message=f"{output} is odd")


def make_even(output: Any) -> ValidationResult:
    """Correct odd numbers to the next even one."""
    return even(output) if output % 2 == 0 else result(False, output=output + 1, message="made even")


def at_most_ten(output: Any) -> ValidationResult:
    """Correct numbers that are too large to 9, which is odd."""
    return result(True) if output <= 10 else result(False, output=9)


async def test_an_output_that_nobody_objects_to_gets_through() -> None:
    """It stays as it is, and the verdict is recorded."""
    done = execution(2)
    judged = await gated(chain_of(("reject", even)), done)
    assert (judged.status, judged.output, judged.valid) == (ExecutionStatus.SUCCESS, 2, True)
    assert judged.original_output is UNSET


async def test_an_objection_rejects_and_keeps_the_output() -> None:
    """The record says why, by whom and where."""
    errors = (FieldError(message="wrong", pointer="/a"), FieldError(message="worse", pointer="/b"))
    judged = await gated(chain_of(("reject", even), ("reject", lambda _: result(False, errors=errors))), execution(3))
    assert (judged.status, judged.output, judged.valid) == (ExecutionStatus.REJECTED, 3, False)
    assert judged.error is not None
    assert judged.error.type == "output-rejected"
    assert [each.consequence for each in judged.validations] == ["rejected", "rejected"]
    assert [str(each) for each in rejection(judged).problems] == ["a: 3 is odd", "b: wrong (at /a)", "b: worse (at /b)"]


def boom(output: Any) -> ValidationResult:
    """Fail."""
    raise RuntimeError("broken")


@pytest.mark.parametrize("says", [boom, lambda _: result(None, message="no idea"), lambda _: "nonsense"])
async def test_one_that_rejects_and_cannot_judge_fails_closed(says: Any) -> None:
    """The output does not get out, and the verdict is null: nobody said that it is wrong."""
    judged = await gated(chain_of(("reject", says)))
    assert (judged.status, judged.valid) == (ExecutionStatus.REJECTED, None)


async def test_one_that_fails_open_lets_the_output_through() -> None:
    """Where the operator says so; the failure is still recorded."""
    judged = await gated(chain_of(("reject", boom), ("reject", even), on_error="open"))
    assert (judged.status, judged.valid) == (ExecutionStatus.SUCCESS, True)
    assert (judged.validations[0].message, judged.validations[0].applies) == ("RuntimeError: broken", False)


async def test_where_there_is_nothing_to_judge_nothing_is_rejected() -> None:
    """A result that does not apply is no objection."""
    judged = await gated(chain_of(("reject", lambda _: result(None, applies=False))))
    assert (judged.status, judged.valid) == (ExecutionStatus.SUCCESS, None)


async def test_a_correction_replaces_the_output_and_all_judge_it() -> None:
    """The first output is kept, and so is the correction, whose objection does not count any more."""
    registry = chain_of(("fix", make_even), ("reject", even))
    judged = await gated(registry, execution(3))
    assert (judged.status, judged.output, judged.original_output, judged.valid) == ("success", 4, 3, True)
    assert [(r.validator, r.valid, r.consequence, r.output) for r in judged.validations] == [
        ("a", False, "fixed", 4),
        ("a", True, None, UNSET),
        ("b", True, None, UNSET),
    ]
    assert seen(registry) == [[3, 4], [4]]


async def test_corrections_of_several_validators_are_judged_by_all_again() -> None:
    """Each corrects once: 13 becomes 14, that becomes 9, and the first one may not correct again."""
    registry = chain_of(("fix", make_even), ("fix", at_most_ten), ("record", even))
    judged = await gated(registry, execution(13))
    assert (judged.output, judged.original_output, judged.valid) == (9, 13, False)
    assert [r.consequence for r in judged.validations] == ["fixed", "fixed", None, None]
    assert seen(registry) == [[13, 14, 9], [14, 9], []]


async def test_validators_that_never_agree_come_to_an_end() -> None:
    """Two that undo each other's corrections take one turn each."""
    registry = chain_of(
        ("fix", lambda output: result(False, output=output + 1)),
        ("fix", lambda output: result(False, output=output - 1)),
    )
    judged = await gated(registry, execution(0))
    assert (judged.output, len(judged.validations), judged.valid) == (0, 4, False)


async def test_a_correction_that_is_not_json_is_not_taken() -> None:
    """The objection stands, with the reason."""
    judged = await gated(chain_of(("fix", lambda _: result(False, message="bad", output=float("nan")))))
    assert (judged.output, judged.valid, judged.status) == (2, False, "success")
    assert judged.validations[0].message.startswith("bad; its correction cannot be used: This is not a JSON value")


async def test_a_correction_shares_nothing_with_the_validator() -> None:
    """What it does to its own list later does not change the record."""
    corrected: list[int] = [1]
    judged = await gated(chain_of(("fix", lambda o: result(o == [1], output=corrected))), execution(0))
    corrected.append(2)
    assert judged.output == [1]


@pytest.mark.parametrize("mode", ["reject", "record"])
async def test_only_one_that_may_correct_corrects(mode: str) -> None:
    """An output in another validator's result is dropped."""
    registry = chain_of((mode, make_even))
    judged = await gated(registry, execution(3))
    judged = await record(registry.chain(Validator), judged, PLAN, LONG, ValidationSettings())
    assert (judged.output, judged.original_output) == (3, UNSET)
    assert all(each.output is UNSET for each in judged.validations)


@pytest.mark.parametrize("mode", ["reject", "fix"])
async def test_an_execution_without_output_is_judged_but_neither_corrected_nor_rejected(mode: str) -> None:
    """An error stays an error."""
    says = lambda _: result(False, output=1)  # noqa: E731 - short beside its use
    judged = await gated(chain_of((mode, says)), execution(None, ExecutionStatus.ERROR))
    assert (judged.status, judged.output, judged.valid) == ("error", None, False)
    assert len(judged.validations) == 1


async def test_no_policy_makes_a_rejected_execution_valid() -> None:
    """Also where one that agrees would be enough."""
    registry = chain_of(("reject", even), ("reject", lambda _: result(True)), ("record", lambda _: result(True)))
    judged = await gated(registry, execution(3), policy="any")
    assert (judged.status, judged.valid) == ("rejected", False)
    recorded = await record(
        registry.chain(Validator), judged, PLAN, LONG, ValidationSettings(policy=ValidationPolicy.ANY)
    )
    assert recorded.valid is False


async def test_first_failure_ends_with_a_rejection_and_never_skips_one_that_may_reject() -> None:
    """A correction that fails is no reason to let the output through unjudged."""
    registry = chain_of(("fix", lambda _: result(False)), ("reject", even), ("reject", even), ("record", even))
    judged = await gated(registry, execution(3), policy="first-failure")
    judged = await record(
        registry.chain(Validator), judged, PLAN, LONG, ValidationSettings(policy=ValidationPolicy.FIRST_FAILURE)
    )
    assert judged.status is ExecutionStatus.REJECTED
    assert [len(each) for each in seen(registry)] == [1, 1, 0, 0]


async def test_validators_that_record_judge_the_corrected_output_after_the_others() -> None:
    """Their results come last, and the verdict is over all."""
    registry = chain_of(("record", lambda output: result(output == 4)), ("fix", make_even))
    judged = await gated(registry, execution(3))
    judged = await record(registry.chain(Validator), judged, PLAN, LONG, ValidationSettings())
    assert [r.validator for r in judged.validations] == ["b", "b", "a"]
    assert (judged.valid, seen(registry)) == (True, [[4], [3, 4]])


async def test_a_tasks_policy_wins_over_the_hosts() -> None:
    """One task may be content with one that agrees."""
    plan = Plan(Task(id="t", program="m:f", validation_policy=ValidationPolicy.ANY))
    chain = chain_of(("record", even), ("record", lambda _: result(True))).chain(Validator)
    assert (await judge(chain, execution(3), plan, LONG))[1] is True
    assert (await judge(chain, execution(3), PLAN, LONG))[1] is False


class Waiting(Validator):
    """Waits for the others to be waiting, too."""

    metadata = PluginMetadata(name="waiting", version="1")
    barrier: asyncio.Barrier

    async def validate(self, execution: Execution, context: ValidationContext) -> ValidationResult:
        await self.barrier.wait()
        return result(True)


@pytest.mark.parametrize(("policy", "limit", "valid"), [("all", 20.0, True), ("first-failure", 0.2, None)])
async def test_validators_judge_at_the_same_time_where_the_policy_allows_it(
    policy: str, limit: float, valid: bool | None
) -> None:
    """Three that wait for each other agree; one after the other they run out of time."""
    registry, barrier = Registry(), asyncio.Barrier(3)
    for name in "abc":
        registry.register(validator := Waiting(), id=name, limit=limit)
        validator.barrier = barrier
    settings = ValidationSettings(policy=ValidationPolicy(policy), concurrent=True)
    results, whole = await judge(registry.chain(Validator), execution(), PLAN, LONG, settings)
    assert ([each.validator for each in results], whole) == (["a", "b", "c"], valid)


async def test_one_that_fails_among_others_at_the_same_time_fails_alone() -> None:
    """The results come in the order of the chain."""
    registry = chain_of(("record", even), ("record", boom), ("record", even))
    results, valid = await judge(
        registry.chain(Validator), execution(), PLAN, LONG, ValidationSettings(concurrent=True)
    )
    assert ([each.valid for each in results], valid) == ([True, None, True], None)


class Blocking(Validator):
    """Blocks its thread until the others judge, too, and the loop has turned meanwhile."""

    metadata = PluginMetadata(name="blocking", version="1")
    blocking = True

    def __init__(self, together: threading.Barrier, turned: threading.Event) -> None:
        super().__init__()
        self.together, self.turned = together, turned

    def validate(self, execution: Execution, context: ValidationContext) -> ValidationResult:
        self.together.wait(20)
        return result(self.turned.wait(20))


async def test_sync_validators_that_block_are_moved_off_the_loop() -> None:
    """The loop goes on while they judge, and they do so at the same time."""
    calls: list[float | None] = []

    async def offload(function: Callable[..., object], *args: object, timeout: float | None) -> object:
        calls.append(timeout)
        return await asyncio.to_thread(function, *args)

    def all_judge() -> None:
        loop.call_soon_threadsafe(turned.set)

    loop, turned = asyncio.get_running_loop(), threading.Event()
    together = threading.Barrier(3, action=all_judge)
    registry = Registry(offload=offload)
    for name in "abc":
        registry.register(Blocking(together, turned), id=name)
    results, valid = await judge(
        registry.chain(Validator), execution(), PLAN, LONG, ValidationSettings(concurrent=True)
    )
    assert ([each.valid for each in results], valid) == ([True] * 3, True)
    assert len(calls) == 3


async def test_all_validators_together_keep_one_limit() -> None:
    """Ten that hang do not take ten times as long; the last ones still get a moment."""
    registry = Registry()
    for number in range(10):
        registry.register(validator := Waiting(), id=f"v{number}")
        validator.barrier = asyncio.Barrier(2)
    results, _ = await judge(registry.chain(Validator), execution(), PLAN, 0.1)
    assert [each.valid for each in results] == [None] * 10
    first, *others = (float(each.message.split("longer than ")[1].split()[0]) for each in results)
    assert 0.001 <= first <= 0.1, "what is left of the limit when it begins, at least a moment"
    assert others == [0.001] * 9
