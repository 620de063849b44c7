"""`hotplane webhooks`: the handlers of a server, and their deliveries. Imports only its own room."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hotplane.cli.documents import json_argument
from hotplane.cli.event_views import DELIVERY_COLUMNS, WEBHOOK_COLUMNS, attempt_line, webhook_fields
from hotplane.cli.events import EventTypes, Since, Until
from hotplane.cli.failure import FAILED
from hotplane.cli.options import SERVER, ListOutput, Output, Server, instant
from hotplane.cli.output import Form, ListForm, show_list, show_one, write, write_json
from hotplane.cli.remote import Remote, path
from hotplane.values import Json

__all__ = ["application"]

application = typer.Typer(
    help="List, make, try and remove webhook handlers; look at their deliveries; receive events locally.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the handler.")]


@application.command(name="list")
def list_webhooks(*, server: Server = SERVER, output: ListOutput = ListForm.TABLE) -> None:
    """List the webhook handlers, wherever they were declared."""
    with Remote(server) as remote:
        found = remote.get(path("webhooks"))["items"]
    show_list(found, output, WEBHOOK_COLUMNS, nothing="there are no webhook handlers")


@application.command()
def show(*, name: _Name, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Show a handler without its secrets, and how its deliveries are."""
    with Remote(server) as remote:
        found = remote.get(path("webhooks", name))
    show_one(found, output, webhook_fields(found))


@application.command()
def add(
    *,
    name: _Name,
    type: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="Such as http-webhook-handler; or module:Class.")
    ] = "http-webhook-handler",
    configuration: Annotated[
        str | None, typer.Option("--configuration", metavar="JSON", help="Its configuration; @file and - read.")
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option("--event", metavar="TYPE", help="What it takes, such as plugin.*; several times. Left away: all."),
    ] = None,
    priority: Annotated[int | None, typer.Option(help="Higher stands earlier.", show_default=False)] = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Store it without having it take events.")] = False,
    delivery: Annotated[
        str | None, typer.Option("--delivery", metavar="JSON", help="How events are delivered to it; @file and -.")
    ] = None,
    server: Server = SERVER,
    output: Output = Form.TABLE,
) -> None:
    """Make a handler; it is checked before it is stored. Keep secrets out of the command line: use @file or -."""
    body: dict[str, Json] = {"name": name, "type": type, "enabled": not disabled}
    if configuration is not None:
        body["configuration"] = json_argument(configuration, "the configuration")
    if delivery is not None:
        body["delivery"] = json_argument(delivery, "the delivery settings")
    if event:
        body["events"] = list(event)
    if priority is not None:
        body["priority"] = priority
    with Remote(server) as remote:
        found = remote.post(path("webhooks"), body)
    show_one(found, output, webhook_fields(found))


@application.command(name="test")
def try_out(
    *,
    name: _Name,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but what can be seen outside.")] = False,
    type: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Of the event.")] = None,
    server: Server = SERVER,
    output: Output = Form.TABLE,
) -> None:
    """Hand a test event over once, and show what the receiver said; ends with 1 when it did not take it."""
    query = f"?dry_run={str(dry_run).lower()}" + (f"&type={type}" if type else "")
    with Remote(server) as remote:
        found = remote.post(path("webhooks", name, "test") + query)
    if output is Form.JSON:
        write_json(found)
    else:
        write(f"{found['event']['type']}: {attempt_line(found['attempt'])}\n")
    if not found["attempt"]["ok"]:
        raise typer.Exit(FAILED)


@application.command()
def remove(*, name: _Name, server: Server = SERVER) -> None:
    """Unload a handler and forget it, with all its deliveries; one of the configuration file can only be disabled."""
    with Remote(server) as remote:
        remote.delete(path("webhooks", name))


@application.command()
def deliveries(
    *,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Name of the handler. Left away: all.")] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(metavar="STATE", help="pending, delivering, delivered, failed or dead; several times."),
    ] = None,
    type: EventTypes = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The most deliveries.")] = 50,
    server: Server = SERVER,
    output: ListOutput = ListForm.TABLE,
) -> None:
    """List deliveries with their last attempts, those of the newest events first."""
    query: dict[str, Any] = {"state": state, "type": type, "limit": limit}
    times = {"since": instant(since, "--since"), "until": instant(until, "--until")}
    where = path("deliveries") if name is None else path("webhooks", name, "deliveries")
    with Remote(server) as remote:
        found = remote.get(where, {**query, **times})["items"]
    if output is ListForm.TABLE:
        found = [{**each, "last": attempt_line(each["history"][-1]) if each["history"] else None} for each in found]
    show_list(found, output, DELIVERY_COLUMNS, nothing="there are no such deliveries")


@application.command()
def retry(
    *,
    name: _Name,
    event: Annotated[int, typer.Argument(metavar="EVENT", help="The event's place in the log.")],
    server: Server = SERVER,
    output: Output = Form.TABLE,
) -> None:
    """Send an event again now, without disturbing its schedule; ends with 1 when it was not taken."""
    with Remote(server) as remote:
        found = remote.post(path("deliveries", name, str(event), "retry"))
    last = found["history"][-1]
    if output is Form.JSON:
        write_json(found)
    else:
        write(f"{found['state']}: {attempt_line(last)}\n")
    if not last["ok"]:
        raise typer.Exit(FAILED)
