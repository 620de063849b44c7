"""Which events follow from an execution. Imports only `records` and `identity`."""

from __future__ import annotations

from hotplane.identity import new_id
from hotplane.records import Event, EventType, Execution, ExecutionStatus, Severity, now
from hotplane.values import Json

__all__ = ["events_of"]

_ENDINGS: dict[ExecutionStatus, tuple[EventType, Severity]] = {
    ExecutionStatus.SUCCESS: (EventType.PROGRAM_EXECUTION_COMPLETED, Severity.INFO),
    ExecutionStatus.ERROR: (EventType.PROGRAM_EXECUTION_FAILED, Severity.ERROR),
    ExecutionStatus.REJECTED: (EventType.PROGRAM_EXECUTION_FAILED, Severity.WARNING),
    ExecutionStatus.CANCELLED: (EventType.PROGRAM_EXECUTION_FAILED, Severity.WARNING),
    ExecutionStatus.INTERRUPTED: (EventType.PROGRAM_EXECUTION_FAILED, Severity.WARNING),
    ExecutionStatus.TIMEOUT: (EventType.PROGRAM_EXECUTION_TIMEOUT, Severity.ERROR),
}


def events_of(execution: Execution) -> tuple[Event, ...]:
    """Return what happened: how the execution ended and, where validators ran, what they found."""
    happened, severity = _ENDINGS[execution.status]
    payload: dict[str, Json] = {"status": execution.status, "latency_ms": execution.latency_ms}
    if execution.error is not None:
        payload["error"] = {"type": execution.error.type, "message": execution.error.message}
    ended = _event(execution, happened, severity, payload)
    if not execution.validations:
        return (ended,)
    return ended, _judged(execution)


def _judged(execution: Execution) -> Event:
    payload: dict[str, Json] = {
        "valid": execution.valid,
        "results": [
            {
                "validator": result.validator,
                "valid": result.valid,
                "message": result.message,
                "consequence": result.consequence,
            }
            for result in execution.validations
        ],
    }
    if execution.valid is False:
        return _event(execution, EventType.VALIDATION_FAILED, Severity.WARNING, payload)
    severity = Severity.INFO if execution.valid else Severity.WARNING
    return _event(execution, EventType.VALIDATION_COMPLETED, severity, payload)


def _event(execution: Execution, happened: EventType, severity: Severity, payload: dict[str, Json]) -> Event:
    return Event(
        id=new_id(),
        type=happened,
        time=now(),
        severity=severity,
        task_id=execution.task_id,
        execution_id=execution.id,
        program=execution.program,
        payload=payload,
    )
