"""The kind that judges executions. Imports only `base`, `records`, `schemas` and `values`."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from pydantic import BaseModel

from hotplane.plugins.base import ConfigT, Plugin
from hotplane.records import Execution, Task, ValidationResult
from hotplane.schemas import Schema
from hotplane.values import Json

__all__ = ["ValidationContext", "Validator"]


class ValidationContext(Struct, frozen=True, kw_only=True):
    """What a validator may know beside the execution."""

    task: Task
    input_schema: Schema
    output_schema: Schema
    expected: Json | UnsetType = UNSET
    """The output that the caller expects; unset where none was given."""
    configuration: BaseModel
    """The validator's own configuration, the same object as `self.config`."""
    ran: bool = True
    """False where an output is judged that somebody else produced: nothing ran, so that there is no latency."""


class Validator(Plugin[ConfigT]):
    """Judges whether an execution's output is right."""

    method = "validate"

    def validate(
        self, execution: Execution, context: ValidationContext
    ) -> Awaitable[ValidationResult] | ValidationResult | Any:
        """Judge `execution`.

        Returns:
            The verdict. `validator`, `version`, `generation`, `duration_ms` and `consequence` are filled in by the
            host. Where there is nothing to judge, `valid` is None and `applies` false. A validator that is configured
            with ``on_fail: fix`` may give a corrected `output` with a false verdict: it replaces the output, once,
            and is judged again.
            Raising, or running out of time, makes the execution *not judged*: validators fail closed.
        """
        raise NotImplementedError
