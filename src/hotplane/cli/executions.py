"""`hotplane executions`: what a server has executed. Imports only its own room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from hotplane.cli.failure import say
from hotplane.cli.options import SERVER, ListOutput, Output, Server, instant
from hotplane.cli.output import Form, ListForm, show_list, show_one
from hotplane.cli.remote import Remote, path
from hotplane.cli.views import EXECUTION_COLUMNS, execution_fields

__all__ = ["Pages", "application"]

application = typer.Typer(help="List and show executions.", rich_markup_mode=None, no_args_is_help=True)

PAGE = 1000
"""The most that a server gives at once."""

Query = Mapping[str, str | int | bool | None]


class Status(StrEnum):
    """How an execution ended."""

    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    INTERRUPTED = "interrupted"


class Verdict(StrEnum):
    """What the validators said."""

    TRUE = "true"
    FALSE = "false"
    UNJUDGED = "unjudged"


@application.command(name="list")
def list_executions(
    *,
    task: Annotated[str | None, typer.Option(metavar="TASK", help="Only those of this task.")] = None,
    status: Annotated[Status | None, typer.Option(help="Only those that ended so.")] = None,
    valid: Annotated[Verdict | None, typer.Option(help="Only those with this verdict.")] = None,
    sampled: Annotated[
        bool | None, typer.Option("--sampled/--not-sampled", help="Only those that a sampler picked, or did not.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="TIME", help="Started at or after this instant (ISO 8601; local without offset)."
        ),
    ] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Started before this instant.")] = None,
    id: Annotated[str | None, typer.Option("--id", metavar="ID", help="All runs with this id.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The most to list.")] = 50,
    all: Annotated[bool, typer.Option("--all", help="List all of them, whatever the limit.")] = False,
    cursor: Annotated[str | None, typer.Option(metavar="CURSOR", help="Go on where a list ended.")] = None,
    server: Server = SERVER,
    output: ListOutput = ListForm.TABLE,
) -> None:
    """List executions, newest first."""
    query: Query = {
        "task": task,
        "status": status and status.value,
        "valid": valid and valid.value,
        "sampled": sampled,
        "from": instant(since, "--from"),
        "to": instant(until, "--to"),
        "id": id,
    }
    with Remote(server) as remote:
        pages = Pages(remote, query, None if all else limit, cursor)
        show_list(pages, output, EXECUTION_COLUMNS, nothing="there are no such executions")
    if pages.next_cursor is not None:
        say(f"there are more: --all lists them, --cursor {pages.next_cursor} goes on")


@application.command()
def show(
    *,
    execution: Annotated[str, typer.Argument(metavar="ID", help="Id of the execution.")],
    server: Server = SERVER,
    output: Output = Form.TABLE,
) -> None:
    """Show an execution with its sampling decision and the verdict of every validator."""
    with Remote(server) as remote:
        found = remote.get(path("executions", execution))
    show_one(found, output, execution_fields(found))


class Pages:
    """The rows of a list that comes in pages; each page is asked for when its rows are wanted.

    Args:
        remote: The server.
        query: The filters.
        limit: The most rows; null for all.
        cursor: Where to begin; null for the newest.
    """

    def __init__(self, remote: Remote, query: Query, limit: int | None, cursor: str | None) -> None:
        self._remote = remote
        self._query = query
        self._left = limit
        self.next_cursor = cursor
        """Where the rows go on that the limit kept away; null when there are none."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while self._left is None or self._left > 0:
            size = PAGE if self._left is None else min(self._left, PAGE)
            page = self._remote.get(path("executions"), {**self._query, "limit": size, "cursor": self.next_cursor})
            self.next_cursor = page["next_cursor"]
            if self._left is not None:
                self._left -= len(page["items"])
            yield from page["items"]
            if self.next_cursor is None:
                return
