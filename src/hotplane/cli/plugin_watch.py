"""`hotplane plugins health` and `events`: how plugins are, and what happens to them. Imports only its own room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hotplane.cli.options import SERVER, Count, FollowOutput, ListOutput, Server
from hotplane.cli.output import Form, ListForm, follow, show_list, show_one
from hotplane.cli.remote import Remote, path
from hotplane.cli.tables import moment
from hotplane.cli.text import printable
from hotplane.cli.views import HEALTH_COLUMNS, health_fields

__all__ = ["events", "health"]


def health(
    *,
    plugin: Annotated[str | None, typer.Argument(metavar="PLUGIN", help="Id of the plugin. Left away: all.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Check now, instead of showing what is known.")] = False,
    server: Server = SERVER,
    output: ListOutput = ListForm.TABLE,
) -> None:
    """Show the health of a plugin with its latest checks, or of all plugins."""
    with Remote(server) as remote:
        if plugin is None:
            found = remote.get(path("plugins", "health"))["items"]
            if check:
                found = [_checked(remote, each["plugin_id"]) for each in found]
            show_list(found, output, HEALTH_COLUMNS, nothing="there are no plugins")
            return
        one = _checked(remote, plugin) if check else remote.get(path("plugins", plugin, "health"))
    show_one(one, Form.TABLE if output is ListForm.TABLE else Form.JSON, health_fields(one))


def events(
    *,
    plugin: Annotated[str | None, typer.Argument(metavar="PLUGIN", help="Id of the plugin. Left away: all.")] = None,
    count: Count = None,
    server: Server = SERVER,
    output: FollowOutput = Form.TABLE,
) -> None:
    """Follow what happens to plugins, until the server stops or Ctrl-C."""
    with Remote(server) as remote:
        news = ({"event": name, **data} for name, data in remote.events(path("plugins", "events")))
        told = (each for each in news if plugin is None or each["event"] == "missed" or each.get("plugin_id") == plugin)
        follow(told, output, _line, count=count)


def _checked(remote: Remote, plugin: str) -> dict[str, Any]:
    return remote.post(path("plugins", plugin, "health", "check"))


def _line(data: Mapping[str, Any]) -> str:
    return printable(_words(str(data["event"]), data))


def _words(name: str, data: Mapping[str, Any]) -> str:
    if name == "missed":
        return f"… {data.get('events')} events were missed"
    what = {
        "transition": f"{data.get('before')} → {data.get('after')}",
        "health": f"health {data.get('before')} → {data.get('after')}",
        "reload": f"reload {data.get('outcome')}, generation {data.get('generation')} serves"
        f" (version {data.get('version')})",
    }.get(name, name)
    reason = f": {data['reason']}" if data.get("reason") else ""
    return f"{moment(data.get('at'))}  {data.get('plugin_id')}  {what}{reason}"
