"""All commands together, and how a process that ran one of them ends. Imports only `version` and its own room.

Exit codes: 0 for success; 1 when an execution did not succeed, the server failed, or Hotplane itself did; 2 when
what was asked for cannot be done as it was asked; 130 after Ctrl-C; 141 when nobody reads the output any more.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hotplane.cli import (
    batch,
    config,
    events,
    execute,
    executions,
    fallback,
    plugin_checks,
    plugin_new,
    plugin_watch,
    plugins,
    serve,
    tasks,
    webhook_listen,
    webhooks,
    worker,
)
from hotplane.cli.failure import report
from hotplane.cli.output import write
from hotplane.errors import HotplaneError
from hotplane.version import __version__

__all__ = ["INTERRUPTED", "application", "main"]

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells give it: 128 and the number of SIGINT."""

application = typer.Typer(
    name="hotplane",
    help="The hot-swap backplane for Python services: run a host, execute tasks, look after plugins.",
    epilog="Exit codes: 0 success, 1 failure, 2 bad input. HOTPLANE_SERVER is the server's address, HOTPLANE_TOKEN "
    "its token.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)
application.command(name="serve")(serve.serve)
application.command(name="worker", short_help="Run programs for hosts until SIGTERM or Ctrl-C.")(worker.worker)
application.command(name="execute")(execute.execute)
application.add_typer(tasks.application, name="tasks")
plugins.application.command(name="health")(plugin_watch.health)
plugins.application.command(name="events")(plugin_watch.events)
plugins.application.command(name="check")(plugin_checks.check)
plugins.application.command(name="new")(plugin_new.new)
plugins.application.command(name="doctor")(plugin_checks.doctor)
application.add_typer(plugins.application, name="plugins", short_help="List, switch, reload, configure, check plugins.")
application.add_typer(fallback.application, name="fallback", short_help="Show and steer where a runner's work goes.")
application.add_typer(executions.application, name="executions")
application.add_typer(batch.application, name="batch")
application.add_typer(events.application, name="events", short_help="List, follow, publish and replay events.")
webhooks.application.command(name="listen")(webhook_listen.listen)
application.add_typer(webhooks.application, name="webhooks", short_help="Look after webhook handlers and deliveries.")
application.add_typer(config.application, name="config")


def _version_asked(asked: bool) -> None:
    if asked:
        version()
        raise typer.Exit


@application.callback()
def _hotplane(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version_asked, help="Show the version and exit.")
    ] = False,
) -> None:
    del version  # its callback has acted on it


@application.command()
def version() -> None:
    """Show the version of Hotplane."""
    write(f"hotplane {__version__}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code; errors are one message on stderr.

    Args:
        arguments: What stands behind `hotplane`; the process's own by default.
    """
    _prepare_streams()
    try:
        application(args=arguments, prog_name="hotplane")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except HotplaneError as error:
        return report(error)
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):  # the terminal may be gone
            sys.stderr.write("\n")
        return INTERRUPTED
    return 0


def _prepare_streams() -> None:
    """Have both streams take everything: Python leaves one away that was closed, and a terminal may not be UTF-8."""
    for name in ("stdout", "stderr"):
        stream: object = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for the process's life
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
