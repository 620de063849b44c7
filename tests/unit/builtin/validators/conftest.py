"""Validators that are asked directly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import UNSET, UnsetType

from hotplane.builtin import load_builtin
from hotplane.plugins import ValidationContext
from hotplane.records import Execution, ExecutionStatus, Task, ValidationResult
from hotplane.schemas import Schema
from hotplane.values import Json

Judge = Callable[..., ValidationResult]


@pytest.fixture
def judge() -> Judge:
    """Return what asks a built-in validator, made with a configuration, about an execution."""

    def judged(
        type: str,
        configuration: dict[str, Any],
        output: Json = None,
        *,
        expected: Json | UnsetType = UNSET,
        input: Json = None,
        status: ExecutionStatus = ExecutionStatus.SUCCESS,
        latency_ms: float = 1.0,
        output_schema: Json = True,
    ) -> ValidationResult:
        cls = load_builtin(type)
        validator: Any = cls(cls.Config.model_validate(configuration))
        if hasattr(validator, "start"):
            validator.start(SimpleNamespace())
        execution = Execution(
            id="e",
            task_id="t",
            program="m:f",
            status=status,
            input=input,
            output=output,
            expected=expected,
            latency_ms=latency_ms,
            started_at=datetime(2026, 3, 1, tzinfo=UTC),
        )
        context = ValidationContext(
            task=Task(id="t", program="m:f"),
            input_schema=Schema(True),
            output_schema=Schema(output_schema),
            expected=expected,
            configuration=validator.config,
        )
        return validator.validate(execution, context)

    return judged
