"""Values that flow through a host, made in one line: every field has a default that fits.

Imports `records`, `plugins`, `schemas` and `identity`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from hotplane.identity import new_id, sampling_point
from hotplane.plugins import Plugin, SamplingContext, ValidationContext, WebhookContext
from hotplane.records import Event, EventType, Execution, ExecutionStatus, Task
from hotplane.schemas import Schema

__all__ = ["a_sampling_context", "a_task", "a_validation_context", "a_webhook_context", "an_event", "an_execution"]

_WHEN = datetime(2026, 1, 1, 12, tzinfo=UTC)


def a_task(**fields: Any) -> Task:
    """Return a task; `fields` are those of `Task`."""
    made: dict[str, Any] = {"id": "a-task", "program": "programs:echo"}
    return Task(**{**made, **fields})


def an_execution(**fields: Any) -> Execution:
    """Return an execution that succeeded; `fields` are those of `Execution`.

    Its id is new every time, as a host mints them, unless `id` is given, which then counts as the caller's own.
    """
    made: dict[str, Any] = {
        "id": new_id(),
        "task_id": "a-task",
        "program": "programs:echo",
        "status": ExecutionStatus.SUCCESS,
        "input": None,
        "latency_ms": 1.0,
        "started_at": _WHEN,
        "minted": "id" not in fields,
    }
    return Execution(**{**made, **fields})


def an_event(**fields: Any) -> Event:
    """Return an event; `fields` are those of `Event`."""
    made: dict[str, Any] = {
        "id": new_id(),
        "type": EventType.PROGRAM_EXECUTION_COMPLETED,
        "time": _WHEN,
        "task_id": "a-task",
    }
    return Event(**{**made, **fields})


def a_validation_context(
    plugin: Plugin[Any], execution: Execution | None = None, *, task: Task | None = None
) -> ValidationContext:
    """Return what a host gives a validator beside the execution."""
    given = _task(task, execution)
    return ValidationContext(
        task=given,
        input_schema=Schema(given.input_schema),
        output_schema=Schema(given.output_schema),
        expected=UNSET if execution is None else execution.expected,
        configuration=plugin.config,
    )


def a_sampling_context(
    plugin: Plugin[Any], execution: Execution | None = None, *, task: Task | None = None, **fields: Any
) -> SamplingContext:
    """Return what a host gives a sampler beside the execution; `fields` are those of `SamplingContext`."""
    given = _task(task, execution)
    point = 0 if execution is None else sampling_point(execution.id, minted=execution.minted)
    made: dict[str, Any] = {
        "task": given,
        "rate": given.sampling_rate,
        "total": 0,
        "sampled": 0,
        "last_sample_at": None,
        "now": _WHEN,
        "point": point,
        "configuration": plugin.config,
    }
    return SamplingContext(**{**made, **fields})


def a_webhook_context(plugin: Plugin[Any], *, dry_run: bool = False, **fields: Any) -> WebhookContext:
    """Return how an event comes to a handler; `fields` are those of `WebhookContext`."""
    return replace(WebhookContext(configuration=plugin.config, dry_run=dry_run), **fields)


def _task(task: Task | None, execution: Execution | None) -> Task:
    if task is not None:
        return task
    return a_task() if execution is None else a_task(id=execution.task_id, program=execution.program)
