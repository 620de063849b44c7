"""Validators whose verdict has a consequence for the caller: they correct an output, or refuse it.

Imports only `plugins`, `registry`, `records`, `errors` and its own room.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from hotplane.errors import OutputRejected, Problem
from hotplane.execution.settings import ValidationSettings
from hotplane.execution.tasks import Plan
from hotplane.execution.validation import Manner, result_of, sum_up
from hotplane.plugins import Validator
from hotplane.records import Consequence, Execution, ExecutionFailure, ExecutionStatus, ValidationResult
from hotplane.registry import Chain

__all__ = ["OUTPUT_REJECTED", "gate", "refuse", "rejection"]

OUTPUT_REJECTED = "output-rejected"
"""The type of the failure of executions whose output was refused."""

_MESSAGE_LIMIT = 1_000


async def gate(
    chain: Chain[Validator[Any]], execution: Execution, plan: Plan, limit: float, settings: ValidationSettings
) -> Execution:
    """Have the validators judge that correct or reject; return what the execution comes to.

    A correction replaces the output, and all of them judge again, from the first one on; each corrects an execution
    once at most. Then the execution becomes ``rejected`` if one of those that reject objects or cannot judge. An
    execution that did not succeed is judged as well, but there is nothing to correct or to reject.

    Args:
        chain: The enabled validators.
        execution: As its runner left it.
        plan: Its task.
        limit: Seconds that they may take together.
        settings: The host's policy.
    """
    manner = Manner(plan, settings, perf_counter() + limit)
    fixes: list[ValidationResult] = []
    results, fix = await _round(chain, execution, manner, fixes)
    while fix is not None:
        fixes.append(fix)
        execution = _corrected(execution, fix)
        results, fix = await _round(chain, execution, manner, fixes)
    judged = replace(execution, validations=(*fixes, *results), valid=sum_up((*fixes, *results), manner))
    reasons = [_reason(result) for result in results if result.consequence is Consequence.REJECTED]
    return refuse(judged, "; ".join(reasons)) if reasons else judged


def refuse(execution: Execution, why: str) -> Execution:
    """Return the record of an execution whose output the caller does not get."""
    message = why if len(why) <= _MESSAGE_LIMIT else why[: _MESSAGE_LIMIT - 1] + "…"
    failure = ExecutionFailure(type=OUTPUT_REJECTED, message=message)
    return replace(execution, status=ExecutionStatus.REJECTED, error=failure)


def rejection(execution: Execution) -> OutputRejected:
    """Return what the caller of a rejected execution gets, with pointers into the output."""
    sampled = execution.sampling is not None and execution.sampling.sampled
    problems = _problems(execution)
    return OutputRejected(execution.task_id, problems, execution.id, sampled=sampled, valid=execution.valid)


def _problems(execution: Execution) -> tuple[Problem, ...]:
    found: list[Problem] = []
    for result in execution.validations:
        if result.consequence is Consequence.REJECTED:
            errors = [(error.message, error.pointer) for error in result.errors] or [(result.message, "")]
            found += [Problem(f"{result.validator}: {message}", place) for message, place in errors]
    if not found and execution.error is not None:
        found.append(Problem(execution.error.message))
    return tuple(found)


async def _round(
    chain: Chain[Validator[Any]], execution: Execution, manner: Manner, fixes: list[ValidationResult]
) -> tuple[list[ValidationResult], ValidationResult | None]:
    """Ask every gate about the present output; return the results, or a correction as soon as there is one."""
    succeeded = execution.status is ExecutionStatus.SUCCESS
    spent = {fix.validator for fix in fixes}
    results: list[ValidationResult] = []
    for link in chain.gates:
        result = await result_of(link, execution, manner)
        if result.output is not UNSET:
            if succeeded and result.applies and link.plugin_id not in spent:
                return results, replace(result, applies=False, consequence=Consequence.FIXED)
            result = replace(result, output=UNSET)
        if succeeded and link.on_fail == "reject" and result.applies and result.valid is not True:
            result = replace(result, consequence=Consequence.REJECTED)
        results.append(result)
        # Only a refusal may end the round early: whoever may refuse has to be asked about what the caller gets.
        if manner.stops and result.consequence is Consequence.REJECTED:
            break
    return results, None


def _corrected(execution: Execution, fix: ValidationResult) -> Execution:
    original = execution.output if execution.original_output is UNSET else execution.original_output
    return replace(execution, output=fix.output, original_output=original)


def _reason(result: ValidationResult) -> str:
    return f"{result.validator}: {result.message or 'it objects'}"
