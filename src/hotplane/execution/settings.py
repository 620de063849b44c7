"""The execution room's settings. Imports only `records`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hotplane.records import ValidationPolicy

__all__ = ["ExecutionSettings", "ValidationSettings"]


class ExecutionSettings(BaseModel):
    """Limits of the execution path."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_in_flight: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """Executions at a time; more are refused with 503."""
    answer_margin_ms: Annotated[int, Field(ge=50, le=10_000)] = 250
    """After a task's deadline its answer is due within this time, judgement and commit included."""


class ValidationSettings(BaseModel):
    """How the verdicts of several validators become one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: ValidationPolicy = ValidationPolicy.ALL
    """`all`: every validator has to agree. `any`: one is enough. `first-failure`: as `all`, and the first objection
    ends the asking. `weighted`: those that agree need `threshold` of the weight. A task may have its own."""
    threshold: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.5
    """For `weighted`: the share of the weight that has to agree; a result weighs its validator's weight times its
    confidence."""
    weights: Mapping[str, Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]] = {}
    """For `weighted`: weights by the name of a validator; 1 for others."""
    concurrent: bool = False
    """Whether the validators of one execution judge at the same time, where the policy allows it: `first-failure`
    does not, and those that correct or reject take their turns."""
