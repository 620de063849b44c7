"""Judges outputs that somebody else produced; runs no program, records nothing.

Imports `records` of this room, `validation`, `tasks`, `registry`, `plugins`, `records` and `values`.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, to_builtins

from hotplane.execution.batch.records import Candidate, ItemVerdict
from hotplane.execution.settings import ValidationSettings
from hotplane.execution.tasks import Plan
from hotplane.execution.validation import judge
from hotplane.identity import new_id
from hotplane.plugins import Validator
from hotplane.records import Execution, ExecutionStatus, now
from hotplane.registry import Registry
from hotplane.values import checked_copy

__all__ = ["Judging"]


class Judging:
    """Asks a host's validators.

    Args:
        registry: Where they are.
        settings: How their verdicts become one.
    """

    def __init__(self, registry: Registry, settings: ValidationSettings) -> None:
        self._registry = registry
        self._settings = settings

    async def judge(self, plan: Plan, candidates: Sequence[Candidate]) -> tuple[ItemVerdict, ...]:
        """Return the verdict on each candidate, in order; one after the other, as each asks every validator.

        Raises:
            NotJson: A candidate cannot be a record.
        """
        executions = [_execution(plan, candidate) for candidate in candidates]
        verdicts: list[ItemVerdict] = []
        for position, (candidate, execution) in enumerate(zip(candidates, executions, strict=True), 1):
            with self._registry.lease(Validator) as chain:
                limit = plan.task.timeout_ms / 1e3
                results, valid = await judge(chain, execution, plan, limit, self._settings, ran=False)
            validations = tuple(to_builtins(result) for result in results)
            verdicts.append(
                ItemVerdict(position=position, id=candidate.id or str(position), valid=valid, validations=validations)
            )
        return tuple(verdicts)


def _execution(plan: Plan, candidate: Candidate) -> Execution:
    """Return the record that the output would have."""
    expected = candidate.expected
    return Execution(
        id=new_id(),
        task_id=plan.task.id,
        program=plan.task.program,
        status=ExecutionStatus.SUCCESS,
        input=checked_copy(candidate.input),
        expected=expected if expected is UNSET else checked_copy(expected),
        output=checked_copy(candidate.output),
        started_at=now(),
    )
