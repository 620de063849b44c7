"""The values that flow through a host: frozen structs, fast to encode, validated when decoded.

Imports only `values`. Durations are in the unit that the field's name says; instants
are aware datetimes in UTC.
"""

from __future__ import annotations

from hotplane.records.events import Event, EventType, Severity
from hotplane.records.executions import Attempt, Execution, ExecutionFailure, ExecutionStatus
from hotplane.records.measures import now
from hotplane.records.plugins import Health, HealthStatus, PluginMetadata, PluginState
from hotplane.records.sampling import DecisionOutcome, SamplerOutcome, SamplerVote, SamplingDecision
from hotplane.records.tasks import Task, Thresholds, ValidationPolicy
from hotplane.records.validation import Consequence, FieldError, ValidationResult

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
