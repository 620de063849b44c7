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
    "Consequence",
    "DecisionOutcome",
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
    "Thresholds",
    "ValidationPolicy",
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


class ValidationPolicy(StrEnum):
    """How the verdicts of several validators become one."""

    ALL = "all"
    """Valid when every validator says so."""
    ANY = "any"
    """Valid when one validator says so."""
    FIRST_FAILURE = "first-failure"
    """As `all`, and the first validator that objects ends the asking."""
    WEIGHTED = "weighted"
    """Valid when the validators that say so have enough weight, each weighed by its confidence."""


class Thresholds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a task has to keep to; an event tells once of each breach. A limit that is null is not watched."""

    accuracy_min: Fraction | None = None
    """The least accuracy, as estimated from the designated sampler's picks."""
    latency_max_ms: Positive | None = None
    """The longest latency, of the percentile `latency_p`."""
    latency_p: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.95
    """The share of the executions that has to be as quick."""
    significant: bool = True
    """Whether accuracy is breached only when its whole interval is below the least; false: when the estimate is."""
    confidence: Annotated[float, Meta(ge=0.5, le=0.9999)] = 0.95
    """The share of intervals that hold the true accuracy."""
    window_count: Annotated[int, Meta(ge=1, le=10_000)] = 1_000
    """The newest so many count: verdicts on picks for the accuracy, executions for the latency."""
    window_seconds: Annotated[float, Meta(gt=0.0, le=31_622_400.0)] = 3_600.0
    """Older ones do not count."""
    minimum_volume: Annotated[int, Meta(ge=1, le=10_000)] = 20
    """With fewer in the window nothing is said, neither of a breach nor of a recovery."""
    recovery_margin: Fraction = 0.1
    """A breach ends when the failure rate, or the latency, is this share below what is allowed."""

    def __post_init__(self) -> None:
        """Refuse what could never be measured."""
        if self.minimum_volume > self.window_count:
            raise ValueError("`minimum_volume` is more than `window_count`, so that nothing would ever be measured")


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
    thresholds: Thresholds | None = None
    """What its executions have to keep to; null where nothing is watched."""
    validation_policy: ValidationPolicy | None = None
    """How the verdicts of its validators become one; null for the host's policy."""


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
    THROTTLED = "throttled"
    """It would have sampled, and its rate limit said no."""
    OVER_BUDGET = "over-budget"
    """It would have sampled, and its budget is used up."""
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


class DecisionOutcome(StrEnum):
    """Why an execution is sampled, or is not: one word for each decision.

    What the caller asked for comes first, then the first sampler of the chain that samples or fails open. Where there
    is none, the strongest of the votes counts: ``sampler-error``, ``over-budget``, ``throttled``, ``not-sampled``.
    """

    FORCED = "forced"
    """The caller asked for it. Sampled; estimates count it only where the designated sampler picked it, too."""
    SAMPLED = "sampled"
    """A sampler picked it."""
    SAMPLER_ERROR = "sampler-error"
    """A sampler failed: sampled, unless its `on_error` is ``closed`` and no other one picked the execution."""
    OVER_BUDGET = "over-budget"
    """Not sampled: a sampler would have picked it, and its budget is used up."""
    THROTTLED = "throttled"
    """Not sampled: a sampler would have picked it, and its rate limit said no."""
    NOT_SAMPLED = "not-sampled"
    """Not sampled: no sampler wanted it."""


class SamplingDecision(Struct, frozen=True, kw_only=True):
    """Whether an execution is sampled, by whom, and with which probability."""

    sampled: bool
    outcome: DecisionOutcome | None = None
    """Why; null in records that were written before there were outcomes."""
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


class Consequence(StrEnum):
    """What followed from one validator's verdict, beside the verdict over all."""

    REJECTED = "rejected"
    """The caller got an error instead of the output."""
    FIXED = "fixed"
    """The validator's correction replaced the output."""


class ValidationResult(Struct, frozen=True, kw_only=True):
    """A validator's verdict on an execution."""

    valid: bool | None
    """Null: it could not judge."""
    applies: bool = True
    """False leaves it out of the verdict over all: a validator says so where there was nothing for it to judge; the
    host where it failed and its `on_error` is ``open``, and where its correction replaced what it judged."""
    output: Json | UnsetType = UNSET
    """The corrected output, from a validator whose `on_fail` is ``fix`` and whose verdict is false; kept where it
    replaced the output."""
    consequence: Consequence | None = None
    """What followed; the host fills it in."""
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
