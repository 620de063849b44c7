"""The values that flow through a host: frozen structs, fast to encode, validated when decoded.

Imports only `errors`, `values` and `identity`. Durations are in the unit that the field's name says; instants
are aware datetimes in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

from hotplane.values import Json

__all__ = [
    "Attempt",
    "Event",
    "EventType",
    "Execution",
    "ExecutionFailure",
    "ExecutionStatus",
    "FieldError",
    "Health",
    "HealthStatus",
    "PluginMetadata",
    "PluginState",
    "SamplerOutcome",
    "SamplerVote",
    "SamplingDecision",
    "Severity",
    "Task",
    "ValidationResult",
    "now",
]

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
NonNegative = Annotated[float, Meta(ge=0.0)]
Positive = Annotated[float, Meta(gt=0.0)]


def now() -> datetime:
    """Return the present instant as an aware datetime in UTC."""
    return datetime.now(UTC)


# --- plugins ---------------------------------------------------------------------------------------------


class PluginState(StrEnum):
    """Where a plugin is in its life."""

    UNLOADED = "unloaded"
    LOADING = "loading"
    ACTIVE = "active"
    UNLOADING = "unloading"
    FAILED = "failed"


class PluginMetadata(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a plugin's author says of it."""

    name: str
    """The plugin's type name, in kebab case; the default id of its instances."""
    version: str
    """PEP 440."""
    description: str = ""
    author: str = ""
    requires_host: str = ""
    """PEP 440 specifier for the host, for example ``>=0.1``; empty for any."""
    requires: tuple[str, ...] = ()
    """PEP 508 name and specifier of the plugin types that must be active before this one."""


class HealthStatus(StrEnum):
    """A plugin's health as it judges itself."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class Health(Struct, frozen=True, kw_only=True):
    """The answer of a health check."""

    status: HealthStatus = HealthStatus.HEALTHY
    message: str = ""
    details: Mapping[str, Json] = field(default_factory=dict[str, Json])

    @property
    def ok(self) -> bool:
        """Whether the plugin can go on serving: healthy or degraded."""
        return self.status != HealthStatus.UNHEALTHY


# --- tasks and executions --------------------------------------------------------------------------------


class Task(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False):
    """A named unit of work."""

    id: str
    program: str
    """``package.module:function``, sync or async; called with the input as its only argument."""
    description: str = ""
    input_schema: Json = True
    """JSON Schema of the input; ``true`` accepts everything."""
    output_schema: Json = True
    """JSON Schema of the output; ``true`` accepts everything."""
    sampling_rate: Fraction | None = None
    """Probability with which the designated sampler picks an execution; null for the sampler's own rate."""
    timeout_ms: Annotated[int, Meta(ge=1, le=3_600_000)] = 30_000
    """Deadline for one execution, all attempts together."""
    idempotent: bool = False
    """Whether running it twice does no harm, so that an attempt that may have run may be repeated elsewhere."""
    route: tuple[str, ...] = ()
    """The ids of the runners to try, in order; empty for the host's default route."""


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


class SamplerOutcome(StrEnum):
    """What became of one sampler when an execution was decided on."""

    SAMPLED = "sampled"
    NOT_SAMPLED = "not-sampled"
    NOT_CONSULTED = "not-consulted"
    ERROR = "error"
    """It raised or ran out of time; samplers fail open, so the execution counts as sampled by it."""


class SamplerVote(Struct, frozen=True, kw_only=True):
    """One sampler's part in a decision."""

    sampler: str
    outcome: SamplerOutcome
    reason: str = ""
    confidence: Fraction | None = None
    probability: Fraction | None = None
    """Probability with which this sampler picks such an execution, where it knows one."""
    designated: bool = False
    """Whether it is the task's designated probability sampler, the only base for estimates."""
    version: str = ""
    duration_ms: NonNegative = 0.0
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])


class SamplingDecision(Struct, frozen=True, kw_only=True):
    """Whether an execution is sampled, by whom, and with which probability."""

    sampled: bool
    sampler: str | None = None
    """The first sampler, in chain order, that sampled it."""
    reason: str = ""
    confidence: Fraction | None = None
    probability: Fraction | None = None
    """The designated sampler's probability at that time, also when another sampler won."""
    probability_sampled: bool = False
    """Whether the designated sampler picked it: only such records stand for the population (weight 1/p)."""
    votes: tuple[SamplerVote, ...] = ()


class FieldError(Struct, frozen=True, kw_only=True):
    """One thing that a validator found wrong."""

    message: str
    pointer: str = ""
    """JSON Pointer into the output."""
    code: str = ""
    """A stable word for programs, such as ``schema`` or ``expected``."""


class ValidationResult(Struct, frozen=True, kw_only=True):
    """A validator's verdict on an execution."""

    valid: bool | None
    """Null: it could not judge."""
    validator: str = ""
    """The validator's id; the host fills it in."""
    message: str = ""
    errors: tuple[FieldError, ...] = ()
    confidence: Fraction = 1.0
    duration_ms: NonNegative = 0.0
    """Filled in by the host."""
    version: str = ""
    """The validator's version; the host fills it in."""
    generation: int = 0
    """The validator's generation; the host fills it in."""
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])


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


# --- events ----------------------------------------------------------------------------------------------


class Severity(StrEnum):
    """How much an event matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class EventType(StrEnum):
    """What can happen."""

    TASK_CREATED = "task.created"
    TASK_UPDATED = "task.updated"
    TASK_DELETED = "task.deleted"
    PROGRAM_GENERATION_STARTED = "program.generation.started"
    PROGRAM_GENERATION_COMPLETED = "program.generation.completed"
    PROGRAM_GENERATION_FAILED = "program.generation.failed"
    PROGRAM_EXECUTION_COMPLETED = "program.execution.completed"
    PROGRAM_EXECUTION_FAILED = "program.execution.failed"
    PROGRAM_EXECUTION_TIMEOUT = "program.execution.timeout"
    VALIDATION_COMPLETED = "validation.completed"
    VALIDATION_FAILED = "validation.failed"
    CANARY_DEPLOYMENT_STARTED = "canary.deployment.started"
    CANARY_DEPLOYMENT_SUCCEEDED = "canary.deployment.succeeded"
    CANARY_DEPLOYMENT_ROLLED_BACK = "canary.deployment.rolled-back"
    PROGRAM_VERSION_PROMOTED = "program.version.promoted"
    ACCURACY_THRESHOLD_BREACHED = "threshold.accuracy.breached"
    LATENCY_THRESHOLD_BREACHED = "threshold.latency.breached"
    PLUGIN_STARTED = "plugin.started"
    PLUGIN_FAILED = "plugin.failed"
    PLUGIN_RELOADED = "plugin.reloaded"
    PLUGIN_ROLLED_BACK = "plugin.rolled-back"
    PLUGIN_RESTARTED = "plugin.restarted"
    RUNNER_FALLBACK_ACTIVATED = "runner.fallback.activated"
    RUNNER_FALLBACK_RECOVERED = "runner.fallback.recovered"
    BATCH_FINISHED = "batch.finished"
    WEBHOOK_DISABLED = "webhook.disabled"


class Event(Struct, frozen=True, kw_only=True):
    """Something that happened."""

    id: str
    type: EventType
    time: datetime
    severity: Severity = Severity.INFO
    source: str = "hotplane"
    task_id: str | None = None
    execution_id: str | None = None
    program: str | None = None
    payload: Mapping[str, Json] = field(default_factory=dict[str, Json])
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])
    sequence: int | UnsetType = UNSET
    """The storage's order, for cursors; unset until stored."""
