"""Examples in the API's description. Those of requests work against the example project (`examples/spam`)."""

from __future__ import annotations

from typing import Any

from hotplane.api.batch_examples import BATCH_EXAMPLES

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
    "validation_policy": None,
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
        "outcome": "sampled",
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
            "applies": True,
            "consequence": None,
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
_NUMBERS = {"calls": 120, "errors": 0, "timeouts": 0, "mean_ms": 0.003, "p50_ms": 0.003, "p99_ms": 0.009}
_PLUGIN: dict[str, Any] = {
    "id": "percentage-sampler",
    "type": "percentage-sampler",
    "kind": "sampler",
    "version": "1.0.0",
    "description": "Samples a fixed share of the executions.",
    "author": "Hotplane",
    "state": "active",
    "reason": None,
    "enabled": True,
    "disabled": None,
    "priority": 100,
    "required": False,
    "source": "built-in",
    "origin": {
        "source": "built-in",
        "path": None,
        "modified_at": None,
        "size": None,
        "sha256": None,
        "distribution": None,
        "missing": False,
    },
    "generation": 1,
    "draining": 0,
    "since": _TIME,
    "overrides": {},
    "on_error": None,
    "on_fail": None,
    "last_reload": None,
    "retry_at": None,
    "restarts": 0,
    "history": [{"plugin_id": "percentage-sampler", "before": "loading", "after": "active", "reason": "", "at": _TIME}],
    "stats": _NUMBERS,
}
_CHECK = {"at": _TIME, "status": "healthy", "message": "", "duration_ms": None}
_HEALTH: dict[str, Any] = {
    "plugin_id": "percentage-sampler",
    "status": "healthy",
    "since": _TIME,
    "active": True,
    "consecutive_failures": 0,
    "consecutive_successes": 1,
    "last": _CHECK,
    "details": {},
    "success_rate": 1.0,
    "p50_ms": None,
    "p95_ms": None,
    "max_ms": None,
    "recovery_attempts": 0,
    "history": [_CHECK],
}
_LINE = {
    "plugin_id": "percentage-sampler",
    "status": "healthy",
    "since": _TIME,
    "message": "",
    "recovery_attempts": 0,
}
_OVERVIEW = {
    "status": "healthy",
    "counts": {"unhealthy": 0, "degraded": 0, "unknown": 0, "healthy": 1},
    "plugins": [_LINE],
    "states": {"active": 1},
    "failed": [],
}
_REFRESHED = {
    "plugin_id": "percentage-sampler",
    "outcome": "reloaded",
    "reason": "",
    "generation": 2,
    "version": "1.1.0",
}
_BREAKER: dict[str, Any] = {
    "name": "valkyrie",
    "state": "open",
    "generation": 3,
    "since": 5120.4,
    "age": 2.1,
    "retry_after": 2.9,
    "volume": 20,
    "failures": 12,
    "slow": 0,
    "failure_rate": 0.6,
    "slow_rate": 0.0,
    "probes": 0,
    "last_transition": None,
    "counters": {
        "admitted": 812,
        "rejected": 140,
        "succeeded": 788,
        "failed": 24,
        "slow": 0,
        "cancelled": 0,
        "stale": 0,
        "expired": 0,
        "openings": 1,
        "transitions": 2,
    },
}
_RATE = {"value": 0.05, "low": 0.0313, "high": 0.0789}
_QUALITY: dict[str, Any] = {
    "executions": 3020,
    "covered": 3000,
    "picked": 300,
    "judged": 300,
    "failures": 15,
    "not_judged": 0,
    "sampled_otherwise": {"sampled": 42, "failures": 40, "not_judged": 0},
    "failure_rate": _RATE,
    "accuracy": {"value": 0.95, "low": 0.9211, "high": 0.9687},
    "best_case": _RATE,
    "worst_case": _RATE,
    "effective_size": 300.0,
    "reason": None,
    "latency": {"count": 3000, "p50_ms": 0.41, "p95_ms": 0.9, "p99_ms": 2.2, "max_ms": 31.0},
}
EXAMPLES: dict[str, Any] = {
    "ExecuteBody": {"input": _EXECUTION["input"], "expected": "spam"},
    "Task": _TASK,
    "TaskBody": {key: value for key, value in _TASK.items() if key != "id"},
    "PriorityBody": {"priority": 200},
    "StrategyBody": {"strategy": "http"},
    "fallback-status": {
        "state": {
            "runner": "valkyrie",
            "mode": "fallback",
            "since": _TIME,
            "taken_by": "http",
            "trigger": "automatic",
        },
        "breaker": _BREAKER,
        "behind": ["http"],
        "chosen": None,
    },
    "fallback-test": {
        "runner": "valkyrie",
        "would_take": "http",
        "candidates": [
            {
                "runner": "http",
                "active": True,
                "admits": True,
                "health": {"status": "healthy", "message": "", "details": {}},
            }
        ],
    },
    "execution": _EXECUTION,
    "executions": {"items": [_EXECUTION], "next_cursor": None},
    "quality": {
        **_QUALITY,
        "task_id": "spam-detector",
        "since": _TIME,
        "until": None,
        "confidence": 0.95,
        "bucket_seconds": 3600.0,
        "buckets": [{**_QUALITY, "start": _TIME, "end": "2026-01-15T10:00:00Z"}],
    },
    "task": _TASK_VIEW,
    "tasks": {"items": [_TASK_VIEW]},
    "plugin": _PLUGIN,
    "plugin-view": {
        **_PLUGIN,
        "config_schema": {
            "type": "object",
            "properties": {"sampling_rate": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.1}},
        },
        "health": _HEALTH,
        "versions": [{"version": "1.0.0", "generation": 1, "live": True, "ended_at": None, "stats": _NUMBERS}],
    },
    "LoadBody": {"path": "plugins/mine.py"},
    "configuration": {"sampling_rate": 0.5},
    "health-report": _HEALTH,
    "health-reports": {"items": [_HEALTH]},
    "health-overview": _OVERVIEW,
    "refreshed": {"items": [_REFRESHED]},
    "operation": {
        "id": _ID,
        "kind": "restart",
        "plugin_id": "percentage-sampler",
        "state": "succeeded",
        "started_at": _TIME,
        "ended_at": _TIME,
        "result": _PLUGIN,
        "problem": None,
    },
    "plugins": {"items": [_PLUGIN]},
    **BATCH_EXAMPLES,
    "validate-answer": {
        "results": [{"position": 1, "id": "first", "valid": True, "validations": _EXECUTION["validations"]}],
        "counts": {"valid": 1, "invalid": 0, "not_judged": 0},
    },
}
"""By the name of a request's struct, or of an answer."""

PARAMETERS: dict[str, str | int] = {
    "task_id": "spam-detector",
    "plugin_id": "percentage-sampler",
    "execution_id": _ID,
    "operation_id": _ID,
    "batch_id": _ID,
    "name": "deployments",
    "handler": "deployments",
    "event": 42,
    "code": "unknown-task",
}
"""Examples of what stands in a path."""
