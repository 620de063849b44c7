"""Whether an execution is right: the validators judge in order. Imports only `plugins`, `registry` and `records`."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from msgspec.structs import replace

from hotplane.execution.tasks import Plan
from hotplane.plugins import ValidationContext, Validator
from hotplane.records import Execution, ValidationResult
from hotplane.registry import Chain, Failure, Link

__all__ = ["judge", "verdict"]


async def judge(
    chain: Chain[Validator[Any]], execution: Execution, plan: Plan, limit: float
) -> tuple[tuple[ValidationResult, ...], bool | None]:
    """Ask every validator in order; return their results and the verdict over all.

    Args:
        chain: The enabled validators.
        execution: What to judge.
        plan: Its task.
        limit: Seconds that each validator may take at most.
    """
    results = [await _result(link, execution, plan, limit) for link in chain.links]
    binding = [
        result
        for result, link in zip(results, chain.links, strict=True)
        if result.valid is not None or link.on_error != "open"
    ]
    return tuple(results), verdict(binding)


def verdict(results: Sequence[ValidationResult]) -> bool | None:
    """Sum results up: false where one says so, null where none judged or one could not, else true."""
    if any(result.valid is False for result in results):
        return False
    if not results or any(result.valid is None for result in results):
        return None
    return True


async def _result(link: Link[Validator[Any]], execution: Execution, plan: Plan, limit: float) -> ValidationResult:
    context = ValidationContext(
        task=plan.task,
        input_schema=plan.input_schema,
        output_schema=plan.output_schema,
        expected=execution.expected,
        configuration=link.plugin.config,
    )
    started = perf_counter()
    answer = await link.invoke(execution, context, limit=limit)
    if not isinstance(answer, ValidationResult):
        answer = _not_judged(answer, link)
    return replace(
        answer,
        validator=link.plugin_id,
        version=link.version,
        generation=link.generation,
        duration_ms=(perf_counter() - started) * 1e3,
    )


def _not_judged(answer: object, link: Link[Validator[Any]]) -> ValidationResult:
    reason = answer.reason if isinstance(answer, Failure) else _nonsense(answer)
    counts_as = link.on_error or "closed"
    return ValidationResult(
        valid=None, message=reason, confidence=0.0, metadata={"failed": True, "on_error": counts_as}
    )


def _nonsense(answer: object) -> str:
    return f"it returned {type(answer).__name__}, not a ValidationResult"
