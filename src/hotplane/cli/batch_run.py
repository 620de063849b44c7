"""`hotplane batch run`: a file of items through a task, on a server or in this process. Imports only its own room."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from hotplane.cli.batch_ledger import check_place
from hotplane.cli.batch_lines import Expectations, Shape, is_regular, lines_of, opened
from hotplane.cli.batch_progress import BatchProgress
from hotplane.cli.batch_report import RESULT_COLUMNS, accuracy_fields, batch_fields
from hotplane.cli.failure import FAILED, BadInput, ServerRefused, say
from hotplane.cli.options import SERVER, ConfigFile, Output, Server, Store
from hotplane.cli.output import Form, show_one, write
from hotplane.cli.tables import table
from hotplane.errors import NotFound

if TYPE_CHECKING:
    from hotplane.cli.batch_hosts import BatchHost

__all__ = ["run"]

_SHOWN_FAILURES = 20
_LOOK_SECONDS = 0.5


def run(
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON Lines; - reads stdin.")],
    task: Annotated[str, typer.Option("--task", "-t", metavar="TASK", help="Id of the task.")],
    input_only: Annotated[bool, typer.Option("--input-only", help="Each line is an input, not an item.")] = False,
    input_field: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD", help="The input is made of this field of each line; may be repeated."),
    ] = None,
    expected_field: Annotated[
        str | None, typer.Option(metavar="FIELD", help="What is expected is in this field of each line.")
    ] = None,
    id_field: Annotated[
        str | None, typer.Option(metavar="FIELD", help="The item's id is in this field of each line.")
    ] = None,
    max_concurrency: Annotated[int | None, typer.Option(min=1, max=1000, help="Items at once; 64 by default.")] = None,
    stop_on_first_error: Annotated[
        bool, typer.Option("--stop-on-first-error", help="Cancel the rest when an item fails.")
    ] = False,
    item_timeout_ms: Annotated[int | None, typer.Option(min=1, help="Deadline of each item.")] = None,
    priority: Annotated[int, typer.Option(min=-10, max=10, help="Higher goes first.")] = 0,
    results: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write every result to this file, one JSON object a line.")
    ] = None,
    server: Server = SERVER,
    embedded: Annotated[bool, typer.Option("--embedded", help="Run it in this process, without a server.")] = False,
    config: ConfigFile = None,
    store: Store = None,
    output: Output = Form.TABLE,
) -> None:
    """Run every item of a file through a task.

    A line is an item: {"input": …}, and where wanted "id", "expected", "timeout_ms", "correlation_id" and "sample".
    With --input-only or the options for fields, lines may be of other shapes. A line that cannot be used fails alone.
    The exit code is 0 when every item succeeded, 1 when one did not.
    """
    check_place(embedded=embedded, config=config, store=store)
    shape = Shape(input_only, input_field or (), expected_field, id_field)
    options: dict[str, Any] = {"stop_on_first_error": stop_on_first_error, "priority": priority}
    if max_concurrency is not None:
        options["max_concurrency"] = max_concurrency
    if item_timeout_ms is not None:
        options["item_timeout_ms"] = item_timeout_ms
    from hotplane.cli.batch_hosts import here, there

    with opened(file) as source, _written(results) as sink:
        place = here(config, store) if embedded else there(server, piped=not is_regular(source))
        report = _Run(task, shape, options, source, sink, embedded=embedded).finish(place)
    _show(report, output)
    if report["batch"]["counts"]["succeeded"] != report["batch"]["items"]:
        raise typer.Exit(FAILED)


class _Run:
    """One run of the command."""

    def __init__(
        self,
        task: str,
        shape: Shape,
        options: Mapping[str, Any],
        source: BinaryIO,
        sink: BinaryIO | None,
        *,
        embedded: bool,
    ) -> None:
        self._task = task
        self._shape = shape
        self._options = options
        self._source = source
        self._sink = sink
        self._embedded = embedded
        self._expectations = Expectations()
        self._failed: list[Mapping[str, Any]] = []
        self._executions = 0
        self._id: str | None = None
        self._host: BatchHost | None = None

    def finish(self, place: AbstractAsyncContextManager[BatchHost]) -> dict[str, Any]:
        """Run the batch to its end and return the report."""
        import asyncio

        try:
            return asyncio.run(self._all(place))
        except KeyboardInterrupt:
            if self._id is not None and self._host is not None and self._host.kept:
                then = "goes on when a host starts on this store" if self._embedded else "goes on at the server"
                how = " --embedded" if self._embedded else ""
                say(f"the batch {self._id} {then}; `hotplane batch cancel {self._id}{how}` ends it")
            raise

    async def _all(self, place: AbstractAsyncContextManager[BatchHost]) -> dict[str, Any]:
        async with place as host:
            with BatchProgress(self._task) as progress:
                lines = lines_of(self._source, self._shape, self._expectations)
                self._host = host
                self._id = await host.begin(self._task, self._options, lines)
                await self._follow(host, progress)
            batch = await host.status()
            return {"batch": batch, "accuracy": await self._accuracy(host, batch), "failed": self._failed}

    async def _follow(self, host: BatchHost, progress: BatchProgress) -> None:
        import msgspec

        done, began = 0, monotonic()
        looked = began - _LOOK_SECONDS
        async for result in host.results():
            done += 1
            self._executions += result["execution_id"] is not None
            self._expectations.compare(result)
            if self._sink is not None:
                self._sink.write(msgspec.json.encode(result) + b"\n")
            if result["status"] != "success" and len(self._failed) < _SHOWN_FAILURES:
                self._failed.append(result)
            if monotonic() - looked >= _LOOK_SECONDS:
                looked = monotonic()
                progress.expect(await host.items())
                progress.done(done, done / (looked - began) if looked > began else None)
        progress.expect(done)
        progress.done(done, None)

    async def _accuracy(self, host: BatchHost, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the sampled executions say of the accuracy, and what all that were expected say.

        What they say is of all that the task did since the batch began; `executions` are those of the batch.
        """
        try:
            quality = await host.quality(self._task, batch["created_at"])
        except (NotFound, ServerRefused):  # the task has been deleted meanwhile, or the server is an older one
            quality = None
        return {
            "true": self._expectations.accuracy,
            "correct": self._expectations.correct,
            "expected": self._expectations.known,
            "executions": self._executions,
            "estimated": None if quality is None else quality["accuracy"],
            "quality": quality,
        }


def _written(path: Path | None) -> Any:
    if path is None:
        return nullcontext()
    try:
        return path.open("wb")
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}.") from None


def _show(report: Mapping[str, Any], output: Form) -> None:
    batch = report["batch"]
    show_one(report, output, [*batch_fields(batch), *accuracy_fields(report["accuracy"])])
    if output is Form.TABLE and report["failed"]:
        more = batch["done"] - batch["counts"]["succeeded"] - len(report["failed"])
        rows = [tuple(column.value(each) for column in RESULT_COLUMNS) for each in report["failed"]]
        write("\n" + table(RESULT_COLUMNS, rows) + (f"and {more} more\n" if more > 0 else ""))
