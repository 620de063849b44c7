"""What came of one run of a task: the record. Imports only `measures`, `sampling`, `validation` and `values`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType

from hotplane.records.measures import NonNegative
from hotplane.records.sampling import SamplingDecision
from hotplane.records.validation import ValidationResult
from hotplane.values import Json

__all__ = ["Attempt", "Execution", "ExecutionFailure", "ExecutionStatus"]


class ExecutionStatus(StrEnum):
    """How an execution ended."""

    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    INTERRUPTED = "interrupted"


class ExecutionFailure(Struct, frozen=True, kw_only=True):
    """Why an execution has no output."""

    type: str
    """The name of the exception's class, or a stable word such as ``deadline-exceeded``."""
    message: str
    traceback: str | None = None
    """The program's own frames, for its author; never the host's."""


class Attempt(Struct, frozen=True, kw_only=True):
    """One runner's try at an execution."""

    runner: str
    outcome: str
    """``success``, ``program-error``, ``timeout``, ``cancelled``, ``rejected`` by its breaker, or a failure's code."""
    latency_ms: NonNegative
    message: str = ""


class Execution(Struct, frozen=True, kw_only=True):
    """One run of a task on an input: the record."""

    id: str
    task_id: str
    program: str
    status: ExecutionStatus
    input: Json
    expected: Json | UnsetType = UNSET
    """What the output should be, where the caller knows; unset and null are different."""
    output: Json = None
    original_output: Json | UnsetType = UNSET
    """What the program returned, where a validator's correction replaced it."""
    error: ExecutionFailure | None = None
    latency_ms: NonNegative = 0.0
    """From admission to the runner's answer."""
    started_at: datetime
    attempts: tuple[Attempt, ...] = ()
    sampling: SamplingDecision | None = None
    """Null where no decision was made: rejected, cancelled and interrupted executions."""
    validations: tuple[ValidationResult, ...] = ()
    valid: bool | None = None
    """True, false, or null: not judged, or could not be."""
    minted: bool = True
    """Whether the host minted the id; a caller's id is hashed before sampling."""
    sequence: int | UnsetType = UNSET
    """The storage's order, for cursors; unset until stored."""
