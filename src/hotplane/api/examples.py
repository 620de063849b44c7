"""Examples in the API's description. Those of requests work against the example project (`examples/spam`)."""

from __future__ import annotations

from typing import Any

__all__ = ["EXAMPLES", "PARAMETERS"]

_ID = "0190a5c1-7b1e-7c3a-9f2b-2f6d5a4c3b21"
_TIME = "2026-01-15T09:30:00Z"
_MESSAGE = {
    "type": "object",
    "properties": {"text": {"type": "string", "minLength": 1}},
    "required": ["text"],
    "additionalProperties": False,
}
_TASK = {
    "id": "spam-or-ham",
    "program": "examples.spam:classify",
    "description": "Tells spam from ham.",
    "input_schema": _MESSAGE,
    "output_schema": {"enum": ["ham", "spam"]},
    "sampling_rate": 0.3,
    "timeout_ms": 2000,
    "idempotent": True,
    "route": ["local"],
}
_TASK_VIEW = {**_TASK, "source": "api", "overridden": False, "problem": None}
_EXECUTION: dict[str, Any] = {
    "id": _ID,
    "task_id": "spam-detector",
    "program": "examples.spam:classify",
    "status": "success",
    "input": {"text": "You have won a prize! Call now to claim it."},
    "expected": "spam",
    "output": "spam",
    "error": None,
    "latency_ms": 0.42,
    "started_at": _TIME,
    "attempts": [{"runner": "local", "outcome": "success", "latency_ms": 0.4, "message": ""}],
    "sampling": {
        "sampled": True,
        "sampler": "percentage-sampler",
        "reason": "picked with probability 0.3",
        "confidence": 1.0,
        "probability": 0.3,
        "probability_sampled": True,
        "votes": [],
    },
    "validations": [
        {
            "valid": True,
            "validator": "json-schema-validator",
            "message": "",
            "errors": [],
            "confidence": 1.0,
            "duration_ms": 0.02,
            "version": "1.0.0",
            "generation": 1,
            "metadata": {},
        }
    ],
    "valid": True,
    "minted": True,
}
_PLUGIN = {
    "id": "percentage-sampler",
    "type": "percentage-sampler",
    "kind": "sampler",
    "version": "1.0.0",
    "description": "Samples a fixed share of the executions.",
    "author": "Hotplane",
    "state": "active",
    "reason": None,
    "enabled": True,
    "priority": 100,
    "required": False,
    "source": "configuration",
    "generation": 1,
    "since": _TIME,
    "overrides": {},
    "stats": {"calls": 120, "errors": 0, "timeouts": 0, "mean_ms": 0.003, "p50_ms": 0.003, "p99_ms": 0.009},
}

EXAMPLES: dict[str, Any] = {
    "ExecuteBody": {"input": _EXECUTION["input"], "expected": "spam"},
    "Task": _TASK,
    "TaskBody": {key: value for key, value in _TASK.items() if key != "id"},
    "PriorityBody": {"priority": 200},
    "execution": _EXECUTION,
    "executions": {"items": [_EXECUTION], "next_cursor": None},
    "task": _TASK_VIEW,
    "tasks": {"items": [_TASK_VIEW]},
    "plugin": _PLUGIN,
    "plugin-view": {
        **_PLUGIN,
        "config_schema": {
            "type": "object",
            "properties": {"sampling_rate": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.1}},
        },
    },
    "plugins": {"items": [_PLUGIN]},
}
"""By the name of a request's struct, or of an answer."""

PARAMETERS: dict[str, str] = {
    "task_id": "spam-detector",
    "plugin_id": "percentage-sampler",
    "execution_id": _ID,
    "code": "unknown-task",
}
"""Examples of what stands in a path."""
