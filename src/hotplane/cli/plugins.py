"""`hotplane plugins`: the plugins of a server. Imports only its own room."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hotplane.cli.options import SERVER, ListOutput, Output, Server
from hotplane.cli.output import Form, ListForm, show_list, show_one, write, write_json
from hotplane.cli.remote import Remote, path
from hotplane.cli.tables import table
from hotplane.cli.views import PLUGIN_COLUMNS, plugin_fields

__all__ = ["application"]

application = typer.Typer(
    help="List plugins, switch them on and off, start, stop and move them.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

_PluginId = Annotated[str, typer.Argument(metavar="PLUGIN", help="Id of the plugin.")]


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
        found = remote.get(path("plugins"), {"state": state, "kind": kind})["items"]
    show_list(found, output, PLUGIN_COLUMNS, nothing="there are no such plugins")


@application.command()
def info(*, plugin: _PluginId, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Show a plugin with its numbers; as JSON also the schema of its configuration."""
    with Remote(server) as remote:
        found = remote.get(path("plugins", plugin))
    show_one(found, output, plugin_fields(found))


@application.command()
def enable(*, plugin: _PluginId, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Put a plugin into its kind's chain, and load it where it is not loaded; kept over restarts."""
    _operate(server, plugin, "enable", output)


@application.command()
def disable(*, plugin: _PluginId, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Take a plugin out of its kind's chain; kept over restarts."""
    _operate(server, plugin, "disable", output)


@application.command()
def start(*, plugin: _PluginId, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Load and start a plugin."""
    _operate(server, plugin, "start", output)


@application.command()
def stop(*, plugin: _PluginId, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Stop and unload a plugin; it keeps its place."""
    _operate(server, plugin, "stop", output)


@application.command()
def restart(*, plugin: _PluginId, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Stop a plugin and start it anew."""
    _operate(server, plugin, "restart", output)


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
        _show(remote.post(path("plugins", plugin, operation)), output)


def _show(status: dict[str, Any], output: Form) -> None:
    """Print where a plugin stands now: its line of the list."""
    if output is Form.JSON:
        write_json(status)
    else:
        write(table(PLUGIN_COLUMNS, [tuple(column.value(status) for column in PLUGIN_COLUMNS)]))
