"""The options that several commands share. Imports only its own room."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hotplane.cli.output import Form, ListForm

__all__ = ["SERVER", "ConfigFile", "ListOutput", "Output", "Server", "Store"]

SERVER = "http://127.0.0.1:3000"
"""Where a server is that nobody gave another address."""

Server = Annotated[
    str, typer.Option("--server", envvar="HOTPLANE_SERVER", metavar="URL", help="Address of the server.")
]
Output = Annotated[
    Form, typer.Option("--output", "-o", help="A table for people, or JSON for programs.", show_choices=True)
]
ListOutput = Annotated[
    ListForm,
    typer.Option("--output", "-o", help='A table, {"items": […]} as JSON, or one JSON object a line.'),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Configuration file. Left away: hotplane.yaml, hotplane.yml or hotplane.json of this folder, if any.",
    ),
]
Store = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="Store: a path, sqlite:///file.db, or postgresql://…"),
]
