"""`latency-budget`: an execution that took too long is invalid. Imports only `plugins` and below."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hotplane.plugins import Config, ValidationContext, Validator
from hotplane.records import Execution, FieldError, PluginMetadata, ValidationResult

__all__ = ["LatencyBudgetConfig", "LatencyBudgetValidator"]


class LatencyBudgetConfig(Config):
    """How long an execution may take."""

    max_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1000.0
    """Milliseconds from admission to the runner's answer, all attempts together."""


class LatencyBudgetValidator(Validator[LatencyBudgetConfig]):
    """Judges an execution by its latency alone, whatever its status."""

    metadata = PluginMetadata(
        name="latency-budget",
        version="0.1.0",
        description="Checks that an execution was quick enough.",
        author="The Hotplane developers",
    )
    priority = 70

    def validate(self, execution: Execution, context: ValidationContext) -> ValidationResult:
        """Judge `execution`; exactly the budget is within it."""
        if not context.ran:
            return ValidationResult(valid=None, applies=False, message="nothing ran, so that there is no latency")
        took, limit = execution.latency_ms, self.config.max_ms
        message = f"it took {took:.1f} ms, and the budget is {limit:g} ms"
        errors = () if took <= limit else (FieldError(code="latency", message=message),)
        return ValidationResult(valid=not errors, message=message, errors=errors)
