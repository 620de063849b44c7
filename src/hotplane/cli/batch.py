"""`hotplane batch`: the batches and streams of a server, or of a store.

Imports only its own room, and `client` when it is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hotplane.cli.batch_ledger import cancelled_here, check_place, check_server, looked_into
from hotplane.cli.batch_report import BATCH_COLUMNS, RESULT_COLUMNS, batch_fields
from hotplane.cli.batch_run import run
from hotplane.cli.failure import say
from hotplane.cli.options import SERVER, ConfigFile, ListOutput, Output, Server, Store
from hotplane.cli.output import Form, ListForm, show_list, show_one
from hotplane.cli.remote import Remote, path

__all__ = ["application"]

application = typer.Typer(
    help="Run files of items, and look after batches.", rich_markup_mode=None, no_args_is_help=True
)
application.command()(run)

_BatchId = Annotated[str, typer.Argument(metavar="ID", help="Id of the batch or stream.")]
_Embedded = Annotated[bool, typer.Option("--embedded", help="Look into the store, without a server; runs nothing.")]
_NotEmbedded = Annotated[bool, typer.Option("--embedded", hidden=True)]
"""Known where it cannot be used, so that the refusal says why."""
_NoStore = Annotated[str | None, typer.Option("--store", hidden=True)]
_NoConfig = Annotated[Path | None, typer.Option("--config", "-c", hidden=True)]
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
    embedded: _Embedded = False,
    config: ConfigFile = None,
    store: Store = None,
    output: ListOutput = ListForm.TABLE,
) -> None:
    """List batches and streams, newest first."""
    check_place(embedded=embedded, config=config, store=store)
    wanted = state and state.value
    nothing = "there are no such batches"
    if embedded:
        with looked_into(config, store) as batches:
            show_list(batches.list(task, wanted, limit), output, BATCH_COLUMNS, nothing=nothing)
    else:
        with Remote(server) as remote:
            found = _pages(remote, {"task": task, "state": wanted}, limit)
            show_list(found, output, BATCH_COLUMNS, nothing=nothing)


@application.command()
def show(
    *,
    batch: _BatchId,
    server: Server = SERVER,
    embedded: _Embedded = False,
    config: ConfigFile = None,
    store: Store = None,
    output: Output = Form.TABLE,
) -> None:
    """Show how a batch stands."""
    check_place(embedded=embedded, config=config, store=store)
    if embedded:
        with looked_into(config, store) as batches:
            found = batches.get(batch)
    else:
        with Remote(server) as remote:
            found = remote.get(path("batch", batch))
    show_one(found, output, batch_fields(found))


@application.command()
def results(
    *,
    batch: _BatchId,
    after: Annotated[int, typer.Option(min=0, help="Only results behind this sequence.")] = 0,
    server: Server = SERVER,
    embedded: _Embedded = False,
    config: ConfigFile = None,
    store: Store = None,
    output: ListOutput = ListForm.NDJSON,
) -> None:
    """Print the results of a batch as they come, until it has ended; lost connections are resumed.

    With --embedded those that the store has now.
    """
    check_place(embedded=embedded, config=config, store=store)
    nothing = "there are no results"
    if embedded:
        with looked_into(config, store) as batches:
            show_list(batches.results(batch, after), output, RESULT_COLUMNS, nothing=nothing)
    else:
        show_list(_results(server, batch, after), output, RESULT_COLUMNS, nothing=nothing)


@application.command()
def pause(
    *,
    batch: _BatchId,
    server: Server = SERVER,
    embedded: _NotEmbedded = False,
    store: _NoStore = None,
    config: _NoConfig = None,
    output: Output = Form.TABLE,
) -> None:
    """Begin no more items of a batch; those that run end. Only a server can: without one, nothing runs to be paused."""
    check_server("pause", embedded=embedded, config=config, store=store)
    _act(batch, "pause", server, output)


@application.command()
def resume(
    *,
    batch: _BatchId,
    server: Server = SERVER,
    embedded: _NotEmbedded = False,
    store: _NoStore = None,
    config: _NoConfig = None,
    output: Output = Form.TABLE,
) -> None:
    """Go on with a batch after a pause. Only a server can: without one, there is nobody who goes on."""
    check_server("resume", embedded=embedded, config=config, store=store)
    _act(batch, "resume", server, output)


@application.command()
def cancel(
    *,
    batch: _BatchId,
    server: Server = SERVER,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Take it over in this process, without a server, and wait for its end.")
    ] = False,
    config: ConfigFile = None,
    store: Store = None,
    output: Output = Form.TABLE,
) -> None:
    """Run no more items of a batch; what has not begun counts as cancelled.

    With --embedded a host starts in this process; until the batch has ended it goes on with what else the store holds.
    """
    check_place(embedded=embedded, config=config, store=store)
    if embedded:
        found = cancelled_here(batch, config, store)
        show_one(found, output, batch_fields(found))
    else:
        _act(batch, "cancel", server, output)


@application.command()
def delete(
    *,
    batch: _BatchId,
    server: Server = SERVER,
    embedded: Annotated[bool, typer.Option("--embedded", help="Delete it in the store, without a server.")] = False,
    config: ConfigFile = None,
    store: Store = None,
) -> None:
    """Forget a batch that has ended, and its results; the executions stay."""
    check_place(embedded=embedded, config=config, store=store)
    if embedded:
        with looked_into(config, store) as batches:
            batches.delete(batch)
    else:
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
