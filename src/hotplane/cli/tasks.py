"""`hotplane tasks`: the tasks of a server. Imports only its own room."""

from __future__ import annotations

from typing import Annotated

import typer

from hotplane.cli.documents import mapping_of, placed, read_mapping
from hotplane.cli.failure import ServerRefused, say
from hotplane.cli.options import SERVER, ListOutput, Output, Server
from hotplane.cli.output import Form, ListForm, show_list, show_one
from hotplane.cli.quality import quality
from hotplane.cli.remote import Remote, path
from hotplane.cli.views import TASK_COLUMNS, task_fields

__all__ = ["application"]

application = typer.Typer(
    help="List, show, make, change, judge and delete tasks.", rich_markup_mode=None, no_args_is_help=True
)

_TaskId = Annotated[str, typer.Argument(metavar="TASK", help="Id of the task.")]
_Source = Annotated[str, typer.Argument(metavar="FILE", help="The task as JSON or YAML; - reads stdin.")]


@application.command(name="list")
def list_tasks(*, server: Server = SERVER, output: ListOutput = ListForm.TABLE) -> None:
    """List the tasks."""
    with Remote(server) as remote:
        show_list(remote.get(path("tasks"))["items"], output, TASK_COLUMNS, nothing="there are no tasks")


@application.command()
def show(*, task: _TaskId, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Show a task."""
    with Remote(server) as remote:
        found = remote.get(path("tasks", task))
    show_one(found, output, task_fields(found))


application.command()(quality)


@application.command()
def create(*, file: _Source, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Make a task; it is kept over restarts."""
    document = read_mapping(file)
    with Remote(server) as remote:
        try:
            made = remote.post(path("tasks"), mapping_of(document))
        except ServerRefused as refusal:
            raise placed(refusal, document) from None
    show_one(made, output, task_fields(made))


@application.command()
def update(*, task: _TaskId, file: _Source, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Replace a task; one of the configuration file is overridden until it is reset."""
    document = read_mapping(file)
    with Remote(server) as remote:
        try:
            changed = remote.put(path("tasks", task), mapping_of(document))
        except ServerRefused as refusal:
            raise placed(refusal, document) from None
    show_one(changed, output, task_fields(changed))


@application.command()
def delete(*, task: _TaskId, server: Server = SERVER) -> None:
    """Delete a task that was made at run time; its executions stay."""
    with Remote(server) as remote:
        remote.delete(path("tasks", task))
    say(f"the task {task!r} is deleted")


@application.command()
def reset(*, task: _TaskId, server: Server = SERVER, output: Output = Form.TABLE) -> None:
    """Undo what was changed of a task of the configuration file."""
    with Remote(server) as remote:
        found = remote.delete(path("tasks", task, "override"))
    show_one(found, output, task_fields(found))
