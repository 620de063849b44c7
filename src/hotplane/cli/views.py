"""What people see of tasks, plugins and executions. Imports only its own room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from hotplane.cli.fields import Fields, Record, as_json, part, parts, source
from hotplane.cli.tables import Column, moment

__all__ = [
    "EXECUTION_COLUMNS",
    "HEALTH_COLUMNS",
    "PLUGIN_COLUMNS",
    "REFRESHED_COLUMNS",
    "TASK_COLUMNS",
    "disabled_field",
    "execution_fields",
    "health_fields",
    "plugin_fields",
    "task_fields",
]

TASK_COLUMNS = (
    Column("id", "id", whole=True),
    Column("program", "program"),
    Column("sampling", "sampling_rate", number=True),
    Column("timeout ms", "timeout_ms", number=True),
    Column("source", "source"),
    Column("overridden", "overridden"),
    Column("problem", "problem"),
)

PLUGIN_COLUMNS = (
    Column("id", "id", whole=True),
    Column("kind", "kind"),
    Column("state", "state"),
    Column("version", "version", spare=True),
    Column("source", "origin.source", spare=True),
    Column("gen", "generation", number=True, spare=True),
    Column("health", "health.status"),
    Column("enabled", "enabled"),
    Column("priority", "priority", number=True),
    Column("calls", "stats.calls", number=True, spare=True),
    Column("errors", "stats.errors", number=True, spare=True),
    Column("p99 ms", "stats.p99_ms", number=True, spare=True),
    Column("reason", "reason"),
)

REFRESHED_COLUMNS = (
    Column("id", "plugin_id", whole=True),
    Column("outcome", "outcome"),
    Column("version", "version"),
    Column("gen", "generation", number=True),
    Column("reason", "reason"),
)

HEALTH_COLUMNS = (
    Column("id", "plugin_id", whole=True),
    Column("health", "status"),
    Column("since", "since", show=moment),
    Column("failures", "consecutive_failures", number=True),
    Column("success rate", "success_rate", number=True),
    Column("p95 ms", "p95_ms", number=True),
    Column("message", "last.message"),
)

EXECUTION_COLUMNS = (
    Column("id", "id", whole=True),
    Column("task", "task_id"),
    Column("status", "status"),
    Column("valid", "valid"),
    Column("sampled", "sampling.sampled", spare=True),
    Column("latency ms", "latency_ms", number=True, spare=True),
    Column("started", "started_at", show=moment),
)


def task_fields(task: Record) -> Fields:
    """Return what people see of one task."""
    return [
        ("id", task["id"]),
        ("description", task.get("description")),
        ("program", task.get("program")),
        ("problem", task.get("problem")),
        ("source", source(task)),
        ("sampling rate", task.get("sampling_rate")),
        ("timeout", f"{task.get('timeout_ms')} ms"),
        ("idempotent", task.get("idempotent")),
        ("route", " → ".join(cast("Sequence[str]", task.get("route") or ()))),
        ("thresholds", ", ".join(f"{name} {value}" for name, value in part(task, "thresholds").items())),
        ("input schema", as_json(task.get("input_schema"))),
        ("output schema", as_json(task.get("output_schema"))),
    ]


def plugin_fields(plugin: Record) -> Fields:
    """Return what people see of one plugin."""
    return [
        ("id", plugin["id"]),
        ("type", plugin.get("type")),
        ("kind", plugin.get("kind")),
        ("version", plugin.get("version")),
        ("author", plugin.get("author")),
        ("description", plugin.get("description")),
        ("state", plugin.get("state")),
        ("reason", plugin.get("reason")),
        ("since", moment(plugin.get("since"))),
        ("enabled", plugin.get("enabled")),
        *disabled_field(plugin),
        ("priority", plugin.get("priority")),
        ("required", plugin.get("required")),
        ("source", _origin(plugin)),
        ("generation", plugin.get("generation")),
        ("health", _health(part(plugin, "health"))),
        ("last reload", _reload(part(plugin, "last_reload"))),
        ("restarts", plugin.get("restarts")),
        *([("started again", moment(plugin["retry_at"]))] if plugin.get("retry_at") else []),
        ("changed here", plugin.get("overrides") or None),
        ("configuration", ", ".join(part(part(plugin, "config_schema"), "properties"))),
        ("calls", _stat(plugin, "calls")),
        ("errors", _stat(plugin, "errors")),
        ("timeouts", _stat(plugin, "timeouts")),
        ("latency", _latency(plugin)),
    ]


def disabled_field(record: Record) -> Fields:
    """Return when and why the host itself disabled something, as a line, where it did."""
    disabled = part(record, "disabled")
    if not disabled:
        return []
    return [("disabled", f"by the host at {moment(disabled.get('at'))}: {disabled.get('reason')}")]


def health_fields(report: Record) -> Fields:
    """Return what people see of one plugin's health."""
    return [
        ("id", report["plugin_id"]),
        ("health", report.get("status")),
        ("since", moment(report.get("since"))),
        ("observed", report.get("active")),
        ("failures in a row", report.get("consecutive_failures")),
        ("success rate", report.get("success_rate")),
        ("p50 ms", report.get("p50_ms")),
        ("p95 ms", report.get("p95_ms")),
        ("max ms", report.get("max_ms")),
        ("recovery attempts", report.get("recovery_attempts")),
        ("details", report.get("details") or None),
        *(("check", _check(each)) for each in parts(report, "history")[-10:]),
    ]


def execution_fields(execution: Record) -> Fields:
    """Return what people see of one execution: the record, its decision, and every verdict."""
    return [
        ("id", execution["id"]),
        ("task", execution.get("task_id")),
        ("status", execution.get("status")),
        ("input", as_json(execution.get("input"))),
        ("output", as_json(execution.get("output"))),
        *([("expected", as_json(execution["expected"]))] if "expected" in execution else []),
        *_failure(execution),
        ("latency", f"{execution.get('latency_ms', 0):.3g} ms"),
        ("started", moment(execution.get("started_at"))),
        *(("attempt", _attempt(each)) for each in parts(execution, "attempts")),
        ("sampled", _decision(part(execution, "sampling"))),
        ("valid", execution.get("valid")),
        *(("verdict", line) for each in parts(execution, "validations") for line in _verdict(each)),
    ]


def _origin(plugin: Record) -> str:
    origin = part(plugin, "origin")
    place = origin.get("distribution") or origin.get("path")
    gone = ", which is gone" if origin.get("missing") else ""
    return f"{origin.get('source')} ({place}{gone})" if place else str(origin.get("source"))


def _health(report: Record) -> str | None:
    message = part(report, "last").get("message")
    return f"{report.get('status')}: {message}" if message else cast("str | None", report.get("status"))


def _reload(reload: Record) -> str | None:
    if not reload:
        return None
    reason = f": {reload['reason']}" if reload.get("reason") else ""
    when = f"{moment(reload.get('at'))}, by {reload.get('trigger')}, in {reload.get('duration_ms', 0):.3g} ms"
    return f"{reload.get('outcome')} ({when}){reason}"


def _check(result: Record) -> str:
    message = f": {result['message']}" if result.get("message") else ""
    return f"{moment(result.get('at'))} {result.get('status')}{message}"


def _stat(plugin: Record, name: str) -> object:
    return part(plugin, "stats").get(name)


def _latency(plugin: Record) -> str | None:
    stats = part(plugin, "stats")
    if not stats.get("calls"):
        return None
    return f"mean {stats['mean_ms']:.3g} ms, p50 {stats['p50_ms']:.3g} ms, p99 {stats['p99_ms']:.3g} ms"


def _failure(execution: Record) -> Fields:
    error = part(execution, "error")
    if not error:
        return []
    return [("error", f"{error.get('type')}: {error.get('message')}")]


def _attempt(attempt: Record) -> str:
    message = f": {attempt['message']}" if attempt.get("message") else ""
    return f"{attempt.get('runner')}: {attempt.get('outcome')} in {attempt.get('latency_ms', 0):.3g} ms{message}"


def _decision(sampling: Record) -> str | None:
    if not sampling:
        return None
    probability = sampling.get("probability")
    odds = "" if probability is None else f" (probability {probability:g})"
    if not sampling.get("sampled"):
        return f"no{odds}"
    return f"yes, by {sampling.get('sampler')}: {sampling.get('reason')}{odds}"


def _verdict(result: Record) -> list[str]:
    word = {True: "valid", False: "invalid", None: "could not judge"}[result.get("valid")]
    message = f": {result['message']}" if result.get("message") else ""
    errors = [f"  {each.get('pointer') or '/'}: {each.get('message')}" for each in parts(result, "errors")]
    return [f"{result.get('validator')}: {word}{message}", *errors]
