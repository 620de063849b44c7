"""`json-schema-validator`: does the output fit its schema, and what the caller expected?

Imports only `plugins`, `records` and below.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import UNSET
from pydantic import Field

from hotplane.builtin.validators.difference import first_difference
from hotplane.plugins import Config, ValidationContext, Validator
from hotplane.records import Execution, ExecutionStatus, FieldError, PluginMetadata, ValidationResult

__all__ = ["JsonSchemaConfig", "JsonSchemaValidator"]


class JsonSchemaConfig(Config):
    """What `json-schema-validator` checks."""

    check_status: bool = True
    """An execution that did not succeed is invalid."""
    check_schema: bool = True
    """The output has to fit the task's output schema, where there is one."""
    check_expected: bool = True
    """The output has to equal the expected one, where the caller gave one."""
    max_latency_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """A slower execution is invalid; null for no limit."""


class JsonSchemaValidator(Validator[JsonSchemaConfig]):
    """Judges an execution by its status, its output's schema, the expected output, and its latency."""

    metadata = PluginMetadata(
        name="json-schema-validator",
        version="0.1.0",
        description="Checks status, output schema, expected output and latency of an execution.",
        author="The Hotplane developers",
    )
    priority = 100

    def validate(self, execution: Execution, context: ValidationContext) -> ValidationResult:
        """Judge `execution`; every failure is listed, not only the first.

        The verdict is null when the execution has no output and `check_status` is off: there is nothing to judge.
        """
        succeeded = execution.status is ExecutionStatus.SUCCESS
        checked = self._checks(context, succeeded=succeeded)
        if not succeeded and "status" not in checked:
            return ValidationResult(
                valid=None,
                message=f"the execution ended as {execution.status.value}: there is no output to judge",
                metadata={"checked": checked},
            )
        errors = tuple(error for check in checked for error in self._check(check, execution, context))
        return ValidationResult(
            valid=not errors,
            message=_summary(errors, checked),
            errors=errors,
            metadata={"checked": checked},
        )

    def _checks(self, context: ValidationContext, *, succeeded: bool) -> list[str]:
        """Name what there is to check: a failed execution has no output, so that its schema does not matter."""
        config = self.config
        possible = {
            "status": config.check_status,
            "schema": config.check_schema and succeeded and context.output_schema.source is not True,
            "expected": config.check_expected and succeeded and context.expected is not UNSET,
            "latency": config.max_latency_ms is not None and context.ran,
        }
        return [name for name, wanted in possible.items() if wanted]

    def _check(self, check: str, execution: Execution, context: ValidationContext) -> Iterator[FieldError]:
        if check == "status":
            return _status_errors(execution)
        if check == "schema":
            return _schema_errors(execution, context)
        if check == "expected":
            return _expected_errors(execution, context)
        return _latency_errors(execution, self.config.max_latency_ms)


def _status_errors(execution: Execution) -> Iterator[FieldError]:
    if execution.status is not ExecutionStatus.SUCCESS:
        why = f" ({execution.error.type})" if execution.error else ""
        yield FieldError(code="status", message=f"the execution ended as {execution.status.value}{why}")


def _schema_errors(execution: Execution, context: ValidationContext) -> Iterator[FieldError]:
    for problem in context.output_schema.problems(execution.output):
        yield FieldError(code="schema", message=problem.message, pointer=problem.pointer)


def _expected_errors(execution: Execution, context: ValidationContext) -> Iterator[FieldError]:
    if context.expected is UNSET:
        return
    difference = first_difference(context.expected, execution.output)
    if difference is not None:
        yield FieldError(code="expected", message=str(difference), pointer=difference.pointer)


def _latency_errors(execution: Execution, limit: float | None) -> Iterator[FieldError]:
    if limit is not None and execution.latency_ms > limit:
        yield FieldError(
            code="latency", message=f"it took {execution.latency_ms:.1f} ms, and the limit is {limit:g} ms"
        )


def _summary(errors: tuple[FieldError, ...], checked: list[str]) -> str:
    if not errors:
        return f"{', '.join(checked)}: no problem" if checked else "there was nothing to check"
    first = errors[0]
    place = f" at {first.pointer}" if first.pointer else ""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return " ".join(f"{first.code}: {first.message}{place}{more}".split())
