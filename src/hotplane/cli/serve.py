"""`hotplane serve`: a host behind HTTP. Imports `api`, `app` and `config` when it runs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from hotplane.cli.failure import say
from hotplane.cli.options import ConfigFile, Store
from hotplane.cli.output import OutputFailed, write
from hotplane.cli.process import leave_soon, runner
from hotplane.cli.settings import import_from_here, loaded_settings

__all__ = ["LogFormat", "LogLevel", "serve"]


class LogFormat(StrEnum):
    """How logs look."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least severe thing that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


def serve(
    *,
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[
        int | None, typer.Option("--port", "-p", help="Port to listen on [3000]; 0 takes any free one.")
    ] = None,
    store: Store = None,
    log_format: Annotated[LogFormat | None, typer.Option("--log-format", help="How logs look [console].")] = None,
    log_level: Annotated[LogLevel | None, typer.Option("--log-level", help="The least that is logged [info].")] = None,
) -> None:
    """Serve a host over HTTP until SIGTERM or Ctrl-C.

    Prints its address on stdout when it is ready; logs go to stderr. The first signal lets what runs finish within
    `server.shutdown_grace_seconds`, a second one does not wait. The file's settings are overridden by
    `HOTPLANE_<SECTION>__<KEY>` in the environment, and those by the options.
    """
    loaded = loaded_settings(
        config,
        {
            "server.host": host,
            "server.port": port,
            "storage.url": store,
            "log.format": log_format and log_format.value,
            "log.level": log_level and log_level.value,
        },
    )

    from hotplane.api import serve as serve_host
    from hotplane.app import Hotplane
    from hotplane.log import configure

    configure(style=loaded.config.log.format, level=loaded.config.log.level)
    import_from_here()
    with runner() as running:
        running.run(serve_host(Hotplane(loaded), on_ready=_announce))
        leave_soon()


def _announce(url: str) -> None:
    try:
        write(f"Hotplane is ready at {url}\n")
    except (typer.Exit, OutputFailed):
        say(f"ready at {url}, and nobody reads stdout")
