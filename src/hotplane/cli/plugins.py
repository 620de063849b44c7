"""`hotplane plugins`: the plugins of a server. Imports only its own room."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hotplane.cli.documents import json_argument
from hotplane.cli.failure import FAILED, BadInput
from hotplane.cli.options import SERVER, ListOutput, Output, Server
from hotplane.cli.output import Form, ListForm, show_list, show_one, write, write_json
from hotplane.cli.remote import Remote, path
from hotplane.cli.tables import table
from hotplane.cli.views import PLUGIN_COLUMNS, REFRESHED_COLUMNS, plugin_fields
from hotplane.values import Json

__all__ = ["application"]

application = typer.Typer(
    help="List, switch, start, stop, reload, load and configure plugins; look at their health; find what is wrong.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

_PluginId = Annotated[str, typer.Argument(metavar="PLUGIN", help="Id of the plugin.")]
_Cascade = Annotated[bool, typer.Option("--cascade", help="Do it to the plugins that need this one, too.")]


@application.command(name="list")
def list_plugins(
    *,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help="unloaded, loading, active, unloading or failed.")
    ] = None,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="Such as validator or webhook-handler.")] = None,
    server: Server = SERVER,
    output: ListOutput = ListForm.TABLE,
) -> None:
    """List the plugins, loaded or not."""
    with Remote(server) as remote:
        found = remote.get(path("plugins"), {"state": state, "kind": kind, "include_health": True})["items"]
    show_list(found, output, PLUGIN_COLUMNS, nothing="there are no such plugins")


@application.command()
def info(*, plugin: _PluginId, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Show a plugin with its origin, health and numbers; as JSON also the schema of its configuration."""
    with Remote(server) as remote:
        found = remote.get(path("plugins", plugin))
    show_one(found, output, plugin_fields(found))


@application.command()
def enable(*, plugin: _PluginId, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Put a plugin into its kind's chain, and load it where it is not loaded; kept over restarts."""
    with Remote(server) as remote:
        _show(remote.post(path("plugins", plugin, "enable")), output)


@application.command()
def disable(
    *, plugin: _PluginId, cascade: _Cascade = False, server: Server = SERVER, output: Output = Form.TABLE
) -> None:
    """Take a plugin out of its kind's chain; kept over restarts."""
    with Remote(server) as remote:
        _show(remote.post(path("plugins", plugin, "disable") + _query(cascade)), output)


@application.command()
def start(*, plugin: _PluginId, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Load and start a plugin."""
    _operate(server, plugin, "start", output)


@application.command()
def stop(*, plugin: _PluginId, cascade: _Cascade = False, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Stop and unload a plugin; it keeps its place."""
    _operate(server, plugin, f"stop{_query(cascade)}", output)


@application.command()
def restart(*, plugin: _PluginId, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Stop a plugin and start it anew."""
    _operate(server, plugin, "restart", output)


@application.command()
def reload(
    *,
    plugin: Annotated[str | None, typer.Argument(metavar="PLUGIN", help="Id of the plugin.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Take in what is new, and reload whatever has changed.")
    ] = False,
    server: Server = SERVER,
    output: Output = Form.TABLE,
) -> None:
    """Put a new generation of a plugin in the place of the one that serves, which serves on if that fails."""
    if everything == (plugin is not None):
        raise BadInput("Name one plugin, or say --all.")
    if plugin is not None:
        _operate(server, plugin, "reload", output)
        return
    with Remote(server) as remote:
        found = remote.operate("POST", path("plugins", "system", "reload"))["items"]
    show_list(found, ListForm(output.value), REFRESHED_COLUMNS, nothing="no plugin is loaded from files")
    if any(each["outcome"] == "failed" for each in found):
        raise typer.Exit(FAILED)


@application.command()
def load(
    *,
    target: Annotated[str, typer.Argument(metavar="PATH", help="File or package of a plugin, or module:Class.")],
    id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Its id. Left away: the name of the file or class.")
    ] = None,
    configuration: Annotated[
        str | None, typer.Option("--configuration", metavar="JSON", help="Its configuration; @file and - read.")
    ] = None,
    server: Server = SERVER,
    output: Output = Form.TABLE,
) -> None:
    """Load a plugin into a running server and start it; the server's configuration has to allow it."""
    body: dict[str, Json] = {} if id is None else {"id": id}
    if configuration is not None:
        body["configuration"] = json_argument(configuration, "the configuration")
    local = Path(target)
    if local.exists() or ":" not in target:
        body["path"] = str(local.absolute()) if local.exists() else target
    else:
        body["reference"] = target
    with Remote(server) as remote:
        _show(remote.operate("POST", path("plugins"), body), output)


@application.command()
def remove(*, plugin: _PluginId, cascade: _Cascade = False, server: Server = SERVER) -> None:
    """Unload a plugin and forget it; one that the configuration file names can only be stopped or disabled."""
    with Remote(server) as remote:
        remote.operate("DELETE", path("plugins", plugin) + _query(cascade))


@application.command(name="config")
def configure(
    *,
    plugin: _PluginId,
    configuration: Annotated[
        str, typer.Argument(metavar="JSON", help="The whole of it; @file and - read a file and stdin.")
    ],
    server: Server = SERVER,
    output: Output = Form.TABLE,
) -> None:
    """Give a plugin another configuration; it is checked before anything changes, and kept over restarts."""
    body = json_argument(configuration, "the configuration")
    with Remote(server) as remote:
        _show(remote.operate("PUT", path("plugins", plugin, "config"), body), output)


@application.command()
def priority(
    *,
    plugin: _PluginId,
    priority: Annotated[int, typer.Argument(metavar="PRIORITY", help="Higher runs earlier; -- before a negative one.")],
    server: Server = SERVER,
    output: Output = Form.TABLE,
) -> None:
    """Move a plugin within its kind's chain; kept over restarts."""
    with Remote(server) as remote:
        _show(remote.put(path("plugins", plugin, "priority"), {"priority": priority}), output)


@application.command()
def reset(*, plugin: _PluginId, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Undo what was switched or moved of a plugin: the configuration holds again."""
    with Remote(server) as remote:
        _show(remote.delete(path("plugins", plugin, "override")), output)


def _operate(server: str, plugin: str, operation: str, output: Form) -> None:
    with Remote(server) as remote:
        _show(remote.operate("POST", f"{path('plugins', plugin)}/{operation}"), output)


def _query(cascade: bool) -> str:
    return "?cascade=true" if cascade else ""


def _show(status: dict[str, Any], output: Form) -> None:
    """Print where a plugin stands now: its line of the list."""
    if output is Form.JSON:
        write_json(status)
    else:
        write(table(PLUGIN_COLUMNS, [tuple(column.value(status) for column in PLUGIN_COLUMNS)]))
