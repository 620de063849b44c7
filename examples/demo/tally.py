"""Counting what came back. Imports only `figures` and the host's records."""

from __future__ import annotations

from collections import Counter
from enum import Enum

from msgspec import UNSET, UnsetType

from examples.demo.figures import Estimate, estimate_share
from hotplane.records import Execution, ExecutionStatus, ValidationResult
from hotplane.values import Json, equal

__all__ = ["LABEL_VALIDATOR", "Phase", "Tally"]

LABEL_VALIDATOR = "json-schema-validator"
"""The validator that compares the output with the expected one."""


class Phase(Enum):
    """When an execution ran, seen from the change half-way."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


class Tally:
    """What is known of the answers so far."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.runners: Counter[str] = Counter()
        """Executions by the runner that had the answer."""
        self.refusals: Counter[str] = Counter()
        """Answers that are not executions, by the title of their problem document."""
        self.failures: Counter[str] = Counter()
        """Those among them that are the server's fault."""
        self.verdicts: Counter[bool | None] = Counter()
        """Validity of the sampled executions; None where no validator could judge."""
        self.reasons: Counter[tuple[str, str]] = Counter()
        """Why executions are invalid: validator and reason."""
        self.samplers: Counter[str] = Counter()
        """Who sampled."""
        self.consulted: dict[Phase, Counter[str]] = {phase: Counter() for phase in Phase}
        """How many executions each sampler voted on or was passed over in."""
        self.orders: dict[Phase, Counter[tuple[str, ...]]] = {phase: Counter() for phase in Phase}
        """In which order the validators ran."""
        self.phases: Counter[Phase] = Counter()
        self.server_ms: list[float] = []
        self.client_ms: list[float] = []
        self.right: int = 0
        self.labelled: int = 0
        self.unjudged: int = 0
        """Executions that the probability sampler picked and the label validator could not judge."""
        self.an_invalid: str | None = None
        """The id of an invalid execution, to look at."""
        self.any_id: str | None = None
        self._accurate: list[tuple[bool, float]] = []
        self._valid: list[tuple[bool, float]] = []

    @property
    def done(self) -> int:
        """How many requests were answered."""
        return self.statuses.total() + self.refusals.total()

    @property
    def failed(self) -> int:
        """How many executions came to nothing; a rejected input is its sender's fault."""
        return self.statuses.total() - self.statuses["success"] - self.statuses["rejected"]

    @property
    def sampled(self) -> int:
        """How many executions were sampled, by whichever sampler."""
        return self.samplers.total()

    @property
    def probability_sampled(self) -> int:
        """How many executions the designated probability sampler picked and a validator judged."""
        return len(self._valid)

    @property
    def estimated_accuracy(self) -> Estimate | None:
        """The share of right labels, estimated from what the probability sampler picked."""
        return estimate_share(self._accurate)

    @property
    def estimated_validity(self) -> Estimate | None:
        """The share of executions without any complaint, estimated likewise."""
        return estimate_share(self._valid)

    @property
    def accuracy(self) -> float | None:
        """The true share of right labels; None without labels."""
        return self.right / self.labelled if self.labelled else None

    def add(self, execution: Execution, expected: Json | UnsetType, client_ms: float, phase: Phase) -> None:
        """Count one execution.

        Args:
            execution: The record that the server answered with.
            expected: The message's label; unset where it has none.
            client_ms: Milliseconds from sending the request to having its answer.
            phase: When it ran.
        """
        self.statuses[execution.status.value] += 1
        self.phases[phase] += 1
        if execution.status is ExecutionStatus.SUCCESS and execution.attempts:
            self.runners[execution.attempts[-1].runner] += 1
        self.server_ms.append(execution.latency_ms)
        self.client_ms.append(client_ms)
        self.any_id = self.any_id or execution.id
        if expected is not UNSET:
            self.labelled += 1
            self.right += execution.status is ExecutionStatus.SUCCESS and equal(execution.output, expected)
        self._count_sampling(execution, phase)
        self._count_validations(execution, phase)
        self._observe(execution, expected)

    def refuse(self, title: str, client_ms: float, *, rejected: bool = False, failed: bool = False) -> None:
        """Count an answer that is no execution.

        Args:
            title: What the server says is wrong.
            client_ms: Milliseconds from sending the request to having its answer.
            rejected: The input did not fit the task's schema: the host records that as an execution.
            failed: The server could not do its work.
        """
        self.client_ms.append(client_ms)
        if rejected:
            self.statuses[ExecutionStatus.REJECTED.value] += 1
            return
        self.refusals[title] += 1
        if failed:
            self.failures[title] += 1

    def _count_sampling(self, execution: Execution, phase: Phase) -> None:
        decision = execution.sampling
        if decision is None:
            return
        self.consulted[phase].update(vote.sampler for vote in decision.votes)
        if decision.sampled:
            self.samplers[decision.sampler or "unknown"] += 1
            self.verdicts[execution.valid] += 1

    def _count_validations(self, execution: Execution, phase: Phase) -> None:
        if execution.validations:
            self.orders[phase][tuple(result.validator for result in execution.validations)] += 1
        for result in execution.validations:
            if result.valid is False:
                self.an_invalid = self.an_invalid or execution.id
                self.reasons[result.validator, _reason(result)] += 1

    def _observe(self, execution: Execution, expected: Json | UnsetType) -> None:
        decision = execution.sampling
        if decision is None or not decision.probability_sampled or not decision.probability:
            return
        if execution.valid is not None:
            self._valid.append((execution.valid, decision.probability))
        if expected is UNSET:
            return
        verdict = next((result.valid for result in execution.validations if result.validator == LABEL_VALIDATOR), None)
        if verdict is None:
            self.unjudged += 1
        else:
            self._accurate.append((verdict, decision.probability))


def _reason(result: ValidationResult) -> str:
    return (result.errors[0].message if result.errors else "") or result.message or "no reason given"
