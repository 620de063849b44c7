"""The execution room's settings. Imports nothing of Hotplane."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ExecutionSettings"]


class ExecutionSettings(BaseModel):
    """Limits of the execution path."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_in_flight: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """Executions at a time; more are refused with 503."""
    answer_margin_ms: Annotated[int, Field(ge=50, le=10_000)] = 250
    """After a task's deadline its answer is due within this time, judgement and commit included."""
