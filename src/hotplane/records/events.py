"""What can happen, and that it did. Imports only `values`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType, field

from hotplane.values import Json

__all__ = ["Event", "EventType", "Severity"]


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
