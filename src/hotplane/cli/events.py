"""`hotplane events`: what happened, as it happens, from outside, and once more. Imports only its own room."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hotplane.cli.documents import json_argument
from hotplane.cli.event_tail import tailed
from hotplane.cli.event_views import EVENT_COLUMNS, event_line
from hotplane.cli.failure import BadInput, say
from hotplane.cli.options import SERVER, Count, FollowOutput, ListOutput, Output, Server, instant
from hotplane.cli.output import Form, ListForm, follow, show_list, write, write_json
from hotplane.cli.remote import Remote, path
from hotplane.values import Json

__all__ = ["EventTypes", "Since", "Until", "application"]

application = typer.Typer(
    help="List events, follow them, publish them, and have them delivered anew.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

EventTypes = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="TYPE", help="Such as plugin.failed or plugin.*; may be given several times."),
]
Since = Annotated[
    str | None, typer.Option(metavar="INSTANT", help="Taken in at or after this, such as 2026-01-31T12:00:00Z.")
]
Until = Annotated[str | None, typer.Option(metavar="INSTANT", help="Taken in before this.")]
_Severities = Annotated[
    list[str] | None,
    typer.Option("--severity", metavar="SEVERITY", help="info, warning, error or critical; several times."),
]
_Task = Annotated[str | None, typer.Option("--task", metavar="TASK", help="Id of the task.")]
_Execution = Annotated[str | None, typer.Option("--execution", metavar="EXECUTION", help="Id of the execution.")]


@application.command(name="list")
def list_events(
    *,
    type: EventTypes = None,
    severity: _Severities = None,
    task: _Task = None,
    execution: _Execution = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The most events.")] = 50,
    server: Server = SERVER,
    output: ListOutput = ListForm.TABLE,
) -> None:
    """List events, the newest first."""
    query = _filter(type, severity, task, execution)
    times = {"since": instant(since, "--since"), "until": instant(until, "--until")}
    with Remote(server) as remote:
        found = remote.get(path("events"), {**query, **times, "limit": limit})["items"]
    show_list(found, output, EVENT_COLUMNS, nothing="there are no such events")


@application.command()
def tail(
    *,
    type: EventTypes = None,
    severity: _Severities = None,
    task: _Task = None,
    execution: _Execution = None,
    after: Annotated[
        int | None,
        typer.Option(metavar="PLACE", min=0, help="Begin behind this place in the log; 0 for all. Left away: now."),
    ] = None,
    count: Count = None,
    server: Server = SERVER,
    output: FollowOutput = Form.TABLE,
) -> None:
    """Follow events until Ctrl-C; over lost connections and restarts of the server, without loss or repetition."""
    with Remote(server) as remote:
        follow(tailed(remote, _filter(type, severity, task, execution), after), output, event_line, count=count)


@application.command()
def publish(
    *,
    type: Annotated[str, typer.Argument(metavar="TYPE", help="Such as canary.deployment.started.")],
    payload: Annotated[
        str | None, typer.Argument(metavar="JSON", help="What there is to say; @file and - read a file and stdin.")
    ] = None,
    severity: Annotated[
        str | None, typer.Option(metavar="SEVERITY", help="info, warning, error or critical.", show_default="info")
    ] = None,
    source: Annotated[str | None, typer.Option(metavar="NAME", help="Who says so.")] = None,
    task: _Task = None,
    execution: _Execution = None,
    id: Annotated[str | None, typer.Option("--id", metavar="ID", help="By which receivers know repetitions.")] = None,
    server: Server = SERVER,
    output: Output = Form.TABLE,
) -> None:
    """Publish one event; it is stored with its deliveries when this returns."""
    said: dict[str, Json] = {"severity": severity, "source": source, "task_id": task, "execution_id": execution}
    body = {"type": type, "id": id, **said}
    if payload is not None:
        body["payload"] = json_argument(payload, "the payload")
    with Remote(server) as remote:
        found = remote.post(path("events"), {name: value for name, value in body.items() if value is not None})
    event = found["items"][0]
    if output is Form.JSON:
        write_json(event)
    else:
        write(event_line(event) + "\n")


@application.command()
def replay(
    *,
    handler: Annotated[
        str | None, typer.Option("--handler", metavar="NAME", help="To whom. Left away: every handler.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--any", help="Every event, not only those whose delivery is dead; needs --handler.")
    ] = False,
    event: Annotated[
        int | None, typer.Option("--event", metavar="PLACE", min=1, help="A single event, by its place in the log.")
    ] = None,
    type: EventTypes = None,
    since: Since = None,
    until: Until = None,
    server: Server = SERVER,
    output: Output = Form.TABLE,
) -> None:
    """Have dead deliveries, or a range of events, delivered anew."""
    if everything and handler is None:
        raise BadInput("--any sends events again that were delivered: name the --handler.")
    body: dict[str, Json] = {
        "handler": handler,
        "state": "any" if everything else "dead",
        "event": event,
        "types": list(type or ()),
        "since": instant(since, "--since"),
        "until": instant(until, "--until"),
    }
    counts = _replayed(server, body)
    if output is Form.JSON:
        write_json({"deliveries": sum(counts.values()), "handlers": counts})
        return
    for name, deliveries in sorted(counts.items()):
        write(f"{name}: {deliveries} to be delivered anew\n")
    if not counts:
        say("there are no webhook handlers")


def _replayed(server: str, body: dict[str, Json]) -> dict[str, int]:
    counts: dict[str, int] = {}
    cursor: str | None = None
    with Remote(server) as remote:
        while True:
            page: dict[str, Any] = remote.post(path("events", "replay"), {**body, "cursor": cursor})
            for name, deliveries in page["handlers"].items():
                counts[name] = counts.get(name, 0) + int(deliveries)
            cursor = page["next_cursor"]
            if cursor is None:
                return counts


def _filter(
    type: list[str] | None, severity: list[str] | None, task: str | None, execution: str | None
) -> dict[str, Any]:
    return {"type": type, "severity": severity, "task": task, "execution": execution}
