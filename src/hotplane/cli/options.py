"""The options that several commands share. Imports only its own room."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from hotplane.cli.failure import BadInput
from hotplane.cli.output import Form, ListForm

__all__ = ["SERVER", "ConfigFile", "Count", "FollowOutput", "ListOutput", "Output", "Server", "Store", "instant"]

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
FollowOutput = Annotated[
    Form, typer.Option("--output", "-o", help="Text for people, or JSON for programs: one object a line.")
]
Count = Annotated[int | None, typer.Option("--count", "-n", metavar="N", min=1, help="End after so many events.")]
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


def instant(text: str | None, option: str) -> str | None:
    """Return the instant of an option with its offset; one without is in local time.

    Raises:
        BadInput: It is none.
    """
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except (ValueError, OverflowError):
        raise BadInput(f"{option} takes an instant such as 2026-01-31 or 2026-01-31T12:00:00Z, not {text!r}.") from None
