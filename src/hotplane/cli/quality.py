"""`hotplane tasks quality`: how good a task's executions are. Imports only its own room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast

import typer

from hotplane.cli.options import SERVER, Output, Server, instant
from hotplane.cli.output import Form, show_one, write
from hotplane.cli.remote import Remote, path
from hotplane.cli.tables import Column, moment, table

__all__ = ["quality"]

Report = Mapping[str, Any]


def quality(
    *,
    task: Annotated[str, typer.Argument(metavar="TASK", help="Id of the task.")],
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Started at or after this instant (ISO 8601; local without offset)."),
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Started before this instant.")] = None,
    bucket: Annotated[
        str | None,
        typer.Option(metavar="LENGTH", help="Also by time: minute, hour, day, week, or a number with s, m, h or d."),
    ] = None,
    confidence: Annotated[float, typer.Option(metavar="SHARE", help="Share of intervals that hold the truth.")] = 0.95,
    server: Server = SERVER,
    output: Output = Form.TABLE,
) -> None:
    """Estimate how many executions of a task are wrong, from those that were sampled."""
    query = {
        "since": instant(since, "--since"),
        "until": instant(until, "--until"),
        "bucket": bucket,
        "confidence": str(confidence),
    }
    with Remote(server) as remote:
        report = remote.get(path("tasks", task, "quality"), query)
    show_one(report, output, _fields(report))
    if output is Form.TABLE and report["buckets"]:
        cells = [tuple(column.value(each) for column in _COLUMNS) for each in report["buckets"]]
        write("\n" + table(_COLUMNS, cells))


def _fields(report: Report) -> Sequence[tuple[str, object]]:
    latency = cast("Report", report["latency"] or {})
    others = cast("Report", report["sampled_otherwise"])
    sure = f"{report['confidence'] * 100:g} %"
    return [
        ("task", report["task_id"]),
        ("from", moment(report["since"]) if report["since"] else "the oldest"),
        ("to", moment(report["until"]) if report["until"] else "the newest"),
        ("executions", report["executions"]),
        ("covered", report["covered"]),
        ("picked", report["picked"]),
        ("failures", f"{report['failures']} of {report['judged']} judged"),
        ("could not judge", report["not_judged"]),
        ("sampled otherwise", f"{others['sampled']}, {others['failures']} of them failures (not extrapolated)"),
        (f"accuracy ({sure})", _interval(report["accuracy"]) or f"no estimate: {report['reason']}"),
        (f"failure rate ({sure})", _interval(report["failure_rate"])),
        ("at best", _interval(report["best_case"])),
        ("at worst", _interval(report["worst_case"])),
        (
            "latency",
            ", ".join(f"{name} {latency[f'{name}_ms']:.3g} ms" for name in ("p50", "p95", "p99", "max") if latency),
        ),
    ]


def _interval(estimate: object) -> str | None:
    if not isinstance(estimate, Mapping):
        return None
    found = cast("Mapping[str, float]", estimate)
    value, low, high = (f"{found[name] * 100:.3g}" for name in ("value", "low", "high"))
    return f"{value} % ({low} to {high} %)"


_COLUMNS = (
    Column("from", "start", whole=True, show=moment),
    Column("executions", "executions", number=True),
    Column("picked", "picked", number=True),
    Column("failures", "failures", number=True),
    Column("not judged", "not_judged", number=True),
    Column("accuracy", "accuracy", number=True, show=_interval),
    Column("p95 ms", "latency.p95_ms", number=True),
)
