"""Which events follow from an execution. Imports only `records`, `storage` and `identity`."""

from __future__ import annotations

from hotplane.identity import new_id
from hotplane.records import Event, EventType, Execution, Severity, now
from hotplane.storage import Ending, Told
from hotplane.values import Json

__all__ = ["events_of"]


def events_of(execution: Execution) -> tuple[Told, ...]:
    """Return what happened: how the execution ended and, where validators ran, what they found."""
    ended = Ending(execution)
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
