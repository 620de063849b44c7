"""Whether an execution is right: the validators judge, one after the other or at the same time.

Imports only `plugins`, `registry`, `records`, `values` and its own room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Any, TypeAlias

from msgspec import UNSET, Struct
from msgspec.structs import replace

from hotplane.errors import NotJson
from hotplane.execution.settings import ValidationSettings
from hotplane.execution.tasks import Plan
from hotplane.execution.verdict import verdict
from hotplane.plugins import ValidationContext, Validator
from hotplane.records import Consequence, Execution, ValidationPolicy, ValidationResult
from hotplane.registry import Chain, Failure, Link
from hotplane.values import checked_copy

__all__ = ["Links", "Manner", "judge", "record", "result_of", "sum_up"]

Links: TypeAlias = Sequence[Link[Validator[Any]]]

_LEAST_SECONDS = 0.001
"""A validator whose turn comes late still gets this long, so that a quick one can judge."""
_DEFAULTS = ValidationSettings()


class Manner(Struct, frozen=True):
    """How one execution is judged: its task, the policies, and until when."""

    plan: Plan
    settings: ValidationSettings
    due: float
    """On the clock of `time.perf_counter`."""
    ran: bool = True
    """Whether the execution ran; false where somebody else produced its output."""

    @property
    def policy(self) -> ValidationPolicy:
        """The task's policy, or the host's."""
        return self.plan.task.validation_policy or self.settings.policy

    @property
    def stops(self) -> bool:
        """Whether the first objection ends the asking."""
        return self.policy is ValidationPolicy.FIRST_FAILURE


async def judge(
    chain: Chain[Validator[Any]],
    execution: Execution,
    plan: Plan,
    limit: float,
    settings: ValidationSettings = _DEFAULTS,
    *,
    ran: bool = True,
) -> tuple[tuple[ValidationResult, ...], bool | None]:
    """Ask every validator, without consequences; return their results and the verdict over all.

    Args:
        chain: The enabled validators.
        execution: What to judge.
        plan: Its task.
        limit: Seconds that they may take together.
        settings: The host's policy.
        ran: False where somebody else produced the output.
    """
    manner = Manner(plan, settings, perf_counter() + limit, ran)
    results = await _ask(chain.links, execution, manner)
    results = tuple(result if result.output is UNSET else replace(result, output=UNSET) for result in results)
    return results, sum_up(results, manner)


async def record(
    chain: Chain[Validator[Any]], execution: Execution, plan: Plan, limit: float, settings: ValidationSettings
) -> Execution:
    """Have those validators judge whose verdict is only recorded; return the execution with what all of them said.

    They judge what the caller gets: an output that was corrected, as it was corrected.
    """
    manner = Manner(plan, settings, perf_counter() + limit)
    if manner.stops and execution.valid is False:
        return execution
    links = [link for link in chain.links if link.on_fail == "record"] if chain.gates else chain.links
    results = (*execution.validations, *await _ask(links, execution, manner))
    return replace(execution, validations=results, valid=sum_up(results, manner))


def sum_up(results: Sequence[ValidationResult], manner: Manner) -> bool | None:
    """Return the verdict over all; a rejected execution is never valid, whatever the policy."""
    rejecting = [result for result in results if result.consequence is Consequence.REJECTED]
    if rejecting:
        return False if any(result.valid is False for result in rejecting) else None
    settings = manner.settings
    return verdict(results, manner.policy, threshold=settings.threshold, weights=settings.weights)


async def _ask(links: Links, execution: Execution, manner: Manner) -> Sequence[ValidationResult]:
    if manner.settings.concurrent and len(links) > 1 and not manner.stops:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(result_of(link, execution, manner)) for link in links]
        return [each.result() for each in asked]
    results: list[ValidationResult] = []
    for link in links:
        result = await result_of(link, execution, manner)
        results.append(result)
        if manner.stops and result.applies and result.valid is False:
            break
    return results


async def result_of(link: Link[Validator[Any]], execution: Execution, manner: Manner) -> ValidationResult:
    """Return what one validator says, signed by the host; a correction only where it may give one."""
    plan = manner.plan
    context = ValidationContext(
        task=plan.task,
        input_schema=plan.input_schema,
        output_schema=plan.output_schema,
        expected=execution.expected,
        configuration=link.plugin.config,
        ran=manner.ran,
    )
    started = perf_counter()
    # Rounded, because messages show it.
    limit = max(round(manner.due - started, 3), _LEAST_SECONDS)
    answer = await link.invoke(execution, context, limit=limit)
    if not isinstance(answer, ValidationResult):
        answer = _not_judged(answer, link)
    elif answer.output is not UNSET:
        answer = _with_correction(answer) if link.on_fail == "fix" else replace(answer, output=UNSET)
    return replace(
        answer,
        applies=answer.applies and (answer.valid is not None or link.on_error != "open"),
        consequence=None,
        validator=link.plugin_id,
        version=link.version,
        generation=link.generation,
        duration_ms=(perf_counter() - started) * 1e3,
    )


def _with_correction(answer: ValidationResult) -> ValidationResult:
    """Return the answer with a correction that shares nothing with the validator, or without one."""
    if answer.valid is not False:
        return replace(answer, output=UNSET)
    try:
        return replace(answer, output=checked_copy(answer.output))
    except NotJson as error:
        return replace(answer, output=UNSET, message=f"{answer.message}; its correction cannot be used: {error}")


def _not_judged(answer: object, link: Link[Validator[Any]]) -> ValidationResult:
    reason = answer.reason if isinstance(answer, Failure) else _nonsense(answer)
    counts_as = link.on_error or "closed"
    return ValidationResult(
        valid=None, message=reason, confidence=0.0, metadata={"failed": True, "on_error": counts_as}
    )


def _nonsense(answer: object) -> str:
    return f"it returned {type(answer).__name__}, not a ValidationResult"
