"""`hotplane worker`: a process that runs programs for hosts. Imports the room `worker` when it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hotplane.cli.failure import BadInput, say
from hotplane.cli.output import OutputFailed, write
from hotplane.cli.process import leave_soon, runner
from hotplane.cli.serve import LogFormat, LogLevel
from hotplane.cli.settings import import_from_here

if TYPE_CHECKING:
    from hotplane.worker import WorkerSettings

__all__ = ["TOKEN_VARIABLE", "worker"]

TOKEN_VARIABLE = "HOTPLANE_WORKER_TOKEN"  # noqa: S105 - where the token is, not what it is
"""The environment variable that holds the HTTP door's bearer token."""

_OPTIONS = {"paths": "path", "drain_grace_seconds": "drain-grace"}
"""The options whose settings have other names."""
_ADVICE = {
    "programs": "write a module such as examples.spam, or a pattern such as mycompany.*",
    "token": "it has characters that no bearer token has",
}
"""Where pydantic's own words help nobody."""


def worker(
    *,
    programs: Annotated[
        list[str],
        typer.Option(
            "--programs", metavar="PATTERN", help="Modules whose programs may run: a name, or a pattern such as jobs.*"
        ),
    ],
    listen: Annotated[
        str, typer.Option(metavar="ENDPOINT", help="Where Valkyrie is spoken: tcp://, tls:// or unix://.")
    ] = "tcp://127.0.0.1:8080",
    http: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where HTTP is spoken, too: HOST:PORT or https://HOST:PORT.")
    ] = None,
    path: Annotated[
        list[Path] | None, typer.Option("--path", metavar="FOLDER", help="A folder to look for programs in.")
    ] = None,
    max_threads: Annotated[int, typer.Option(help="Threads that run sync programs.")] = 32,
    max_stuck: Annotated[int, typer.Option(help="With so many of them hanging the worker is not ready.")] = 16,
    cpu_bound: Annotated[
        list[str] | None,
        typer.Option(
            "--cpu-bound",
            metavar="PATTERN",
            help="Programs that run in processes: a module, a pattern, or module:name.",
        ),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(help="Processes for them; left away: one for each processor.", show_default=False)
    ] = None,
    max_concurrency: Annotated[int, typer.Option(help="Calls at once, through both doors; more are refused.")] = 256,
    secret_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The secret that clients of Valkyrie must know.")
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate (PEM) for tls:// and https://.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its private key, where --tls-cert does not hold it.")
    ] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Who must have signed the clients' certificates.")
    ] = None,
    allow_plaintext: Annotated[
        bool, typer.Option("--allow-plaintext", help="Listen beyond this machine without encryption.")
    ] = False,
    drain_grace: Annotated[float, typer.Option(help="Seconds that calls may go on after SIGTERM.")] = 10.0,
    log_format: Annotated[LogFormat, typer.Option(help="How logs look.")] = LogFormat.CONSOLE,
    log_level: Annotated[LogLevel, typer.Option(help="The least that is logged.")] = LogLevel.INFO,
) -> None:
    """Run programs for hosts, over Valkyrie and over HTTP, until SIGTERM or Ctrl-C.

    Prints its addresses on stdout when it is ready; logs go to stderr. The first signal lets what runs finish within
    the grace, a second one does not wait. HTTP clients need the bearer token in HOTPLANE_WORKER_TOKEN, if there is
    one. Every PATTERN, --path and --cpu-bound may be given several times.
    """
    settings = _settings(
        {
            "listen": listen,
            "http": http,
            "programs": programs,
            "paths": path or (),
            "max_threads": max_threads,
            "max_stuck": max_stuck,
            "cpu_bound": cpu_bound or (),
            "processes": processes,
            "max_concurrency": max_concurrency,
            "secret_file": secret_file,
            "token": os.environ.pop(TOKEN_VARIABLE, "") or None,  # not for programs to see
            "tls": _tls(tls_cert, tls_key, tls_ca),
            "allow_plaintext": allow_plaintext,
            "drain_grace_seconds": drain_grace,
            "log_format": log_format.value,
        }
    )
    _run(settings, log_level.value)


def _run(settings: WorkerSettings, level: str) -> None:
    from hotplane.log import configure
    from hotplane.worker import serve

    configure(style=settings.log_format, level=level)
    import_from_here()
    with runner() as running:
        running.run(serve(settings, on_ready=_announce))
        leave_soon()


def _settings(given: Mapping[str, Any]) -> WorkerSettings:
    from pydantic import ValidationError

    from hotplane.worker import WorkerSettings

    try:
        return WorkerSettings.model_validate(given)
    except ValidationError as error:
        raise BadInput("; ".join(_sentence(each["loc"], each["msg"]) for each in error.errors()) + ".") from None


def _sentence(place: Sequence[int | str], message: str) -> str:
    """Say which option is wrong, without its value: it may be the token."""
    field = str(place[0]) if place else ""
    option = TOKEN_VARIABLE if field == "token" else f"--{_OPTIONS.get(field, field.replace('_', '-'))}"
    return f"{option}: {_ADVICE.get(field) or message[:1].lower() + message[1:]}"


def _tls(cert: Path | None, key: Path | None, ca: Path | None) -> dict[str, Path | None] | None:
    if cert is None:
        if key is not None or ca is not None:
            raise BadInput("--tls-key and --tls-ca need --tls-cert.")
        return None
    return {"cert_file": cert, "key_file": key, "ca_file": ca}


def _announce(addresses: tuple[str, ...]) -> None:
    where = " and ".join(addresses)
    try:
        write(f"Hotplane worker is ready at {where}\n")
    except (typer.Exit, OutputFailed):
        say(f"the worker is ready at {where}, and nobody reads stdout")
