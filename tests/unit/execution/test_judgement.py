"""Sampling and validation of one execution, on real chains."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from msgspec.structs import replace

from hotplane.execution.sampling import decide
from hotplane.execution.tasks import Plan
from hotplane.execution.validation import judge
from hotplane.execution.verdict import verdict
from hotplane.identity import new_id
from hotplane.plugins import Sample, Sampler, SamplingContext, ValidationContext, Validator
from hotplane.records import (
    Execution,
    ExecutionStatus,
    PluginMetadata,
    SamplingDecision,
    Task,
    ValidationResult,
    now,
)
from hotplane.registry import Registry

HANG = object()
PLAN = Plan(Task(id="t", program="m:f", sampling_rate=0.25))


def execution() -> Execution:
    """Return a record as it is when the samplers see it."""
    return Execution(
        id=new_id(), task_id="t", program="m:f", status=ExecutionStatus.SUCCESS, input=1, output=2, started_at=now()
    )


class Scripted(Sampler):
    """Answers as it was told."""

    metadata = PluginMetadata(name="scripted", version="2.5")

    def __init__(self, sampled: bool, probabilistic: bool = False) -> None:
        super().__init__()
        self.sampled, self.probabilistic = sampled, probabilistic
        self.contexts: list[SamplingContext] = []

    def should_sample(self, execution: Execution, context: SamplingContext) -> Sample:
        self.contexts.append(context)
        return Sample(sampled=self.sampled, reason="told so", probability=0.25 if self.probabilistic else None)


async def decided(*samplers: Sampler, plan: Plan | None = None) -> SamplingDecision:
    """Return the decision of samplers in the given order."""
    registry = Registry()
    for number, sampler in enumerate(samplers):
        registry.register(sampler, id=f"s{number}", priority=-number)
    return await decide(registry.chain(Sampler), execution(), plan or Plan(PLAN.task), 60.0)


async def test_the_first_sampler_that_samples_wins_and_the_rest_are_not_consulted() -> None:
    """Order decides; who was not asked is recorded as such."""
    unasked = Scripted(True)
    decision = await decided(Scripted(False), Scripted(True), unasked)
    assert (decision.sampled, decision.sampler, decision.reason) == (True, "s1", "told so")
    assert [vote.outcome for vote in decision.votes] == ["not-sampled", "sampled", "not-consulted"]
    assert unasked.contexts == []


@pytest.mark.parametrize("picks", [True, False])
async def test_the_designated_sampler_votes_also_when_another_won(picks: bool) -> None:
    """What the probability sampler picks is known for every execution, with its probability."""
    decision = await decided(Scripted(True), Scripted(picks, probabilistic=True))
    assert (decision.sampler, decision.probability_sampled, decision.probability) == ("s0", picks, 0.25)
    assert [vote.designated for vote in decision.votes] == [False, True]


async def test_only_one_sampler_is_designated() -> None:
    """A second probability sampler is a sampler like any other."""
    decision = await decided(Scripted(True, probabilistic=True), Scripted(True, probabilistic=True))
    assert [vote.outcome for vote in decision.votes] == ["sampled", "not-consulted"]


async def test_without_samplers_nothing_is_sampled() -> None:
    """No sampler, no sample, and the record says why."""
    decision = await decided()
    assert (decision.sampled, decision.reason, decision.probability) == (False, "no sampler is enabled", None)


async def test_totals_reach_the_samplers() -> None:
    """A sampler sees the task's rate, what was decided before it, and when the last sample was taken."""
    plan, sampler = Plan(PLAN.task), Scripted(True)
    for _ in range(3):
        await decided(sampler, plan=plan)
    first, _, third = sampler.contexts
    assert (first.total, first.sampled, first.last_sample_at, first.rate) == (0, 0, None, 0.25)
    assert (third.total, third.sampled) == (2, 2)
    assert third.last_sample_at is not None


class Saying(Validator):
    """Gives the verdict that it was made with."""

    metadata = PluginMetadata(name="saying", version="1.4")

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    async def validate(self, execution: Execution, context: ValidationContext) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is HANG:
            await asyncio.Event().wait()
        return ValidationResult(valid=self.answer, validator="forged", duration_ms=99999.0)


async def test_the_host_fills_in_who_judged_and_how_long_it_took() -> None:
    """A validator cannot sign with another's name."""
    registry = Registry()
    registry.register(Saying(True), id="mine", generation=3)
    results, valid = await judge(registry.chain(Validator), execution(), Plan(PLAN.task), 60.0)
    assert (results[0].validator, results[0].version, results[0].generation, valid) == ("mine", "1.4", 3, True)
    assert 0 <= results[0].duration_ms < 99999.0, "what the host measured, not what the validator says"


async def test_a_validator_that_overruns_is_not_judged_and_does_not_delay() -> None:
    """The limit is kept, the reason says so, the verdict is null."""
    registry = Registry()
    registry.register(Saying(HANG), id="slow")
    started = time.monotonic()
    results, valid = await judge(registry.chain(Validator), execution(), Plan(PLAN.task), 0.05)
    assert time.monotonic() - started < 20
    assert (results[0].valid, valid) == (None, None)
    said = float(results[0].message.split("longer than ")[1].split()[0])
    assert 0.001 <= said <= 0.05, "what is left of the limit when it begins"


@pytest.mark.parametrize(("on_error", "valid"), [(None, None), ("closed", None), ("open", True)])
async def test_a_failing_validator_counts_as_its_policy_says(on_error: str | None, valid: bool | None) -> None:
    """Closed, the default: not judged. Open: the verdict is that of the others, and the failure is still shown."""
    registry = Registry()
    registry.register(Saying(RuntimeError("broken")), id="broken", on_error=on_error)
    registry.register(Saying(True), id="good")
    results, verdict_of_all = await judge(registry.chain(Validator), execution(), Plan(PLAN.task), 60.0)
    assert verdict_of_all is valid
    assert {result.validator: result.valid for result in results} == {"broken": None, "good": True}
    assert results[0].message == "RuntimeError: broken"


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ([], None),
        ([True], True),
        ([True, True], True),
        ([True, False], False),
        ([None, False], False),
        ([None, True], None),
        ([None], None),
    ],
)
def test_the_verdict_over_all(verdicts: list[bool | None], whole: bool | None) -> None:
    """One false is false; one that could not judge leaves it open; none is not judged."""
    results = [replace(ValidationResult(valid=True), valid=each) for each in verdicts]
    assert verdict(results) is whole
