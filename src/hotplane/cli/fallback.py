"""`hotplane fallback`: where a runner's work goes. Imports only its own room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hotplane.cli.options import SERVER, Output, Server
from hotplane.cli.output import Form, show_one
from hotplane.cli.remote import Remote, path

__all__ = ["application"]

application = typer.Typer(
    help="Show where a runner's work goes, send it elsewhere, and give it back.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

_Runner = Annotated[str, typer.Argument(metavar="RUNNER", help="Id of the runner.")]


@application.command()
def status(*, runner: _Runner, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Show whether the runner, the runners behind it, or nobody takes its work."""
    with Remote(server) as remote:
        found = remote.get(_path(runner, "status"))
    show_one(found, output, _fields(runner, found))


@application.command()
def activate(
    *,
    runner: _Runner,
    strategy: Annotated[
        str | None, typer.Option(metavar="RUNNER", help="Who takes over first; by default, in the order of the route.")
    ] = None,
    server: Server = SERVER,
    output: Output = Form.TABLE,
) -> None:
    """Send a runner's work elsewhere until `deactivate`."""
    with Remote(server) as remote:
        found = remote.post(_path(runner, "activate"), {"strategy": strategy})
    show_one(found, output, _fields(runner, found))


@application.command()
def deactivate(*, runner: _Runner, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Give a runner its work back."""
    with Remote(server) as remote:
        found = remote.post(_path(runner, "deactivate"))
    show_one(found, output, _fields(runner, found))


@application.command(name="test")
def probe(*, runner: _Runner, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Ask who would take a runner's work now, without sending any."""
    with Remote(server) as remote:
        found = remote.post(_path(runner, "test"))
    candidates = [(each["runner"], _candidate(each)) for each in found["candidates"]]
    show_one(found, output, [("runner", runner), ("would take over", found["would_take"] or "nobody"), *candidates])


def _path(runner: str, operation: str) -> str:
    return path("plugins", runner, "fallback", operation)


def _fields(runner: str, found: Mapping[str, Any]) -> list[tuple[str, object]]:
    state: Mapping[str, Any] = found["state"] or {}
    return [
        ("runner", runner),
        ("work goes to", state.get("mode", "no route begins with it")),
        ("taken by", state.get("taken_by")),
        ("since", state.get("since")),
        ("why", state.get("trigger")),
        ("behind it", ", ".join(found["behind"]) or "nobody"),
        ("breaker", found["breaker"]["state"]),
        ("failure rate", found["breaker"]["failure_rate"]),
        ("retry after", found["breaker"]["retry_after"]),
    ]


def _candidate(found: Mapping[str, Any]) -> str:
    words = ["active" if found["active"] else "not active", found["health"]["status"]]
    if not found["admits"]:
        words.append("its breaker is open")
    return ", ".join(words) + (f": {found['health']['message']}" if found["health"]["message"] else "")
