"""`hotplane execute`: one execution, on a server or in this process. Imports `app` when it runs in this process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from hotplane.cli.documents import STDIN, json_argument
from hotplane.cli.failure import FAILED, BadInput
from hotplane.cli.options import SERVER, ConfigFile, Output, Server, Store
from hotplane.cli.output import Form, show_one
from hotplane.cli.remote import Remote, path
from hotplane.cli.settings import import_from_here, loaded_settings
from hotplane.cli.views import execution_fields
from hotplane.values import Json

__all__ = ["execute"]

_LONGEST_SECONDS = 3_605.0
"""A task's deadline is at most an hour; the answer comes a moment after it."""


def execute(
    *,
    task: Annotated[str, typer.Argument(metavar="TASK", help="Id of the task.")],
    input: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="JSON; - reads it from stdin, @FILE from a file.", show_default=True),
    ] = "null",
    expected: Annotated[
        str | None, typer.Option(metavar="JSON", help="What the output should be; - and @FILE as for INPUT.")
    ] = None,
    id: Annotated[str | None, typer.Option("--id", help="The execution's id; minted when left away.")] = None,
    server: Server = SERVER,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Run it in this process, without a server; warnings go to stderr.")
    ] = False,
    config: ConfigFile = None,
    store: Store = None,
    output: Output = Form.TABLE,
) -> None:
    """Execute a task once and show its record.

    The exit code is 0 when the status is success, 1 when it is another one, and 2 when the input is refused.
    """
    if not embedded and (config is not None or store is not None):
        raise BadInput("--config and --store are for --embedded: a server has its own.")
    body = _body(input, expected, id)
    record = _run_here(task, body, config, store) if embedded else _run_there(server, task, body)
    show_one(record, output, execution_fields(record))
    if record.get("status") != "success":
        raise typer.Exit(FAILED)


def _body(input: str, expected: str | None, id: str | None) -> dict[str, Json]:
    if input == expected == STDIN:
        raise BadInput("Only one of INPUT and --expected can be read from stdin.")
    body: dict[str, Json] = {"input": json_argument(input, "The input")}
    if expected is not None:
        body["expected"] = json_argument(expected, "What is expected")
    if id is not None:
        body["id"] = id
    return body


def _run_there(server: str, task: str, body: Mapping[str, Json]) -> dict[str, Any]:
    with Remote(server, answer_seconds=_LONGEST_SECONDS) as remote:
        return remote.post(path("tasks", task, "execute"), body)


def _run_here(task: str, body: Mapping[str, Any], config: Path | None, store: str | None) -> dict[str, Any]:
    loaded = loaded_settings(config, {"storage.url": store})
    import asyncio

    import msgspec

    from hotplane.app import Hotplane
    from hotplane.log import configure

    configure(style=loaded.config.log.format, level="warning")
    import_from_here()

    async def run() -> object:
        async with Hotplane(loaded) as host:
            expected = body.get("expected", msgspec.UNSET)
            return await host.execute(task, body["input"], expected=expected, id=body.get("id"))

    return msgspec.to_builtins(asyncio.run(run()))
