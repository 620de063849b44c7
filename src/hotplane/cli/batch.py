"""`hotplane batch`: the batches and streams of a server. Imports only its own room, and `client` when it is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from hotplane.cli.batch_report import BATCH_COLUMNS, RESULT_COLUMNS, batch_fields
from hotplane.cli.batch_run import run
from hotplane.cli.failure import say
from hotplane.cli.options import SERVER, ListOutput, Output, Server
from hotplane.cli.output import Form, ListForm, show_list, show_one
from hotplane.cli.remote import Remote, path

__all__ = ["application"]

application = typer.Typer(
    help="Run files of items, and look after batches.", rich_markup_mode=None, no_args_is_help=True
)
application.command()(run)

_BatchId = Annotated[str, typer.Argument(metavar="ID", help="Id of the batch or stream.")]
_PAGE = 200


class State(StrEnum):
    """Where a batch stands."""

    RECEIVING = "receiving"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    STOPPED = "stopped"


@application.command(name="list")
def list_batches(
    *,
    task: Annotated[str | None, typer.Option(metavar="TASK", help="Only those of this task.")] = None,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The most to list.")] = 50,
    server: Server = SERVER,
    output: ListOutput = ListForm.TABLE,
) -> None:
    """List batches and streams, newest first."""
    query = {"task": task, "state": state and state.value}
    with Remote(server) as remote:
        show_list(_pages(remote, query, limit), output, BATCH_COLUMNS, nothing="there are no such batches")


@application.command()
def show(*, batch: _BatchId, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Show how a batch stands."""
    with Remote(server) as remote:
        found = remote.get(path("batch", batch))
    show_one(found, output, batch_fields(found))


@application.command()
def results(
    *,
    batch: _BatchId,
    after: Annotated[int, typer.Option(min=0, help="Only results behind this sequence.")] = 0,
    server: Server = SERVER,
    output: ListOutput = ListForm.NDJSON,
) -> None:
    """Print the results of a batch as they come, until it has ended; lost connections are resumed."""
    show_list(_results(server, batch, after), output, RESULT_COLUMNS, nothing="there are no results")


@application.command()
def pause(*, batch: _BatchId, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Begin no more items of a batch; those that run end."""
    _act(batch, "pause", server, output)


@application.command()
def resume(*, batch: _BatchId, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Go on with a batch after a pause."""
    _act(batch, "resume", server, output)


@application.command()
def cancel(*, batch: _BatchId, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Run no more items of a batch; what has not begun counts as cancelled."""
    _act(batch, "cancel", server, output)


@application.command()
def delete(*, batch: _BatchId, server: Server = SERVER) -> None:
    """Forget a batch that has ended, and its results; the executions stay."""
    with Remote(server) as remote:
        remote.delete(path("batch", batch))
    say(f"the batch {batch} is deleted")


def _act(batch: str, action: str, server: str, output: Form) -> None:
    with Remote(server) as remote:
        found = remote.post(path("batch", batch, action))
    show_one(found, output, batch_fields(found))


def _pages(remote: Remote, query: Mapping[str, str | None], limit: int) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while limit > 0:
        page = remote.get(path("batch"), {**query, "limit": min(limit, _PAGE), "cursor": cursor})
        yield from page["items"]
        limit -= len(page["items"])
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _results(server: str, batch: str, after: int) -> Iterator[dict[str, Any]]:
    import msgspec

    from hotplane.cli.batch_hosts import translated
    from hotplane.client import Client

    with translated(server), Client(server) as client:
        for each in client.open_batch(batch).results(after=after):
            yield msgspec.to_builtins(each)
