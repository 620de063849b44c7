"""How a batch begins: what is asked for, what comes in, the first answer. Imports lower rooms, `intake` and bodies."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from hotplane.api.answers import answer, host_of
from hotplane.api.batch_bodies import ArrayUpload, BatchAnswer
from hotplane.api.bodies import read_body
from hotplane.api.intake import Intake, give_up
from hotplane.api.keyed import outcome_id_of
from hotplane.api.refusals import QueryDoesNotFit
from hotplane.api.uploads import Documents
from hotplane.errors import BatchEnded, HotplaneError, Invalid, ShuttingDown
from hotplane.execution.batch import Batches, BatchOptions, BatchStatus
from hotplane.execution.batch.options import MAX_CONCURRENCY, MAX_PRIORITY

__all__ = ["OptionsQuery", "answer_to", "create_batch", "document_of_batch", "options_of", "submit", "upload"]

_AT_ONCE_SECONDS = 30.0
"""How long the answer to a small batch waits for its end."""
_MAX_WAIT_SECONDS = 300.0
_WAIT = re.compile(r"wait\s*=\s*\"?(\d{1,6})\"?")


class OptionsQuery(BaseModel):
    """How a batch is to run."""

    model_config = ConfigDict(extra="forbid")

    task: Annotated[str | None, Field(max_length=128, description="Id of the task that runs on every item.")] = None
    max_concurrency: Annotated[int, Field(ge=1, le=MAX_CONCURRENCY, description="Items that run at once.")] = 64
    stop_on_first_error: Annotated[
        bool,
        Field(description="Whether the first item that fails, overruns its time or is rejected cancels the others."),
    ] = False
    item_timeout_ms: Annotated[
        int | None, Field(ge=1, description="Deadline of items that have none of their own; no longer than the task's.")
    ] = None
    priority: Annotated[
        int, Field(ge=-MAX_PRIORITY, le=MAX_PRIORITY, description="Where batches compete, higher ones go first.")
    ] = 0


async def create_batch(request: Request, options: BatchOptions) -> BatchStatus:
    """Begin a batch; what is wrong with an option is said of the query."""
    try:
        return await host_of(request).batches.create(options)
    except Invalid as error:
        problems = getattr(error, "problems", ())
        if type(error) is not Invalid or not problems:
            raise
        raise QueryDoesNotFit([(each.pointer.removeprefix("/"), each.message) for each in problems]) from None


def options_of(request: Request, query: OptionsQuery) -> BatchOptions:
    """Return the options of a query.

    Raises:
        QueryDoesNotFit: There is no task.
    """
    if query.task is None:
        raise QueryDoesNotFit([("task", "the parameter 'task' is missing: the id of the task that runs on the items")])
    return BatchOptions(
        id=outcome_id_of(request.scope),
        task_id=query.task,
        max_concurrency=query.max_concurrency,
        stop_on_first_error=query.stop_on_first_error,
        item_timeout_ms=query.item_timeout_ms,
        priority=query.priority,
    )


@asynccontextmanager
async def document_of_batch(request: Request) -> AsyncGenerator[bytes]:
    """Give the body of a request that is one JSON document, as long as a block runs.

    Raises:
        BodyTooLarge: It is larger than it may be.
        Overloaded: Too many large ones are held.
    """
    documents: Documents = request.app.state.documents
    settings = host_of(request).batches.settings
    with documents.hold(request.headers.get("content-length")):
        yield await read_body(request.receive, settings.max_json_bytes, "batches.max_json_bytes")


async def upload(request: Request, query: OptionsQuery) -> BatchStatus:
    """Take the items of a batch line by line, as they arrive; raises what creating and `Intake.run` raise."""
    host = host_of(request)
    status = await create_batch(request, options_of(request, query))
    return await Intake(host.batches, status.id, request.receive, host.config.server.max_depth).run()


async def submit(request: Request, query: OptionsQuery) -> BatchStatus:
    """Take a batch that is one JSON document; nothing of it runs unless all of it can be taken."""
    host = host_of(request)
    async with document_of_batch(request) as body:
        optioned = bool(request.url.query)
        document = ArrayUpload(body, host.batches.settings, host.config.server.max_depth, optioned=optioned)
        await document.check()
        if document.body is None:
            status = await create_batch(request, options_of(request, query))
        else:
            status = await host.batches.create(document.body.options(outcome_id_of(request.scope)))
        return await _fill(host.batches, status, document)


async def _fill(batches: Batches, status: BatchStatus, document: ArrayUpload) -> BatchStatus:
    try:
        async for group in document.groups():
            await batches.add(status.id, group)
        return await batches.seal(status.id)
    except BatchEnded:  # its first failure stopped it, or somebody cancelled it
        return await batches.get(status.id)
    except HotplaneError:
        await give_up(batches, status.id)
        raise


async def answer_to(request: Request, status: BatchStatus) -> Response:
    """Return the results of a small batch, once they are there, and where any other one is found."""
    batches = host_of(request).batches
    preferred = _preferred_wait(request)
    if status.items <= batches.settings.answer_at_once and preferred != 0 and not status.truncated:
        status = await _ended(batches, status, _AT_ONCE_SECONDS if preferred is None else preferred)
        if status.ended:
            results = await batches.results(status.id, limit=max(1, min(1000, status.items)))
            ordered = tuple(sorted(results, key=lambda result: result.position))
            return answer(BatchAnswer(batch=status, results=ordered), headers=_applied(preferred))
    place = {"location": f"/api/batch/{status.id}"}
    return answer(status, 202, place | _applied(preferred, waited=False))


async def _ended(batches: Batches, status: BatchStatus, seconds: float) -> BatchStatus:
    """Return a batch when it has ended, or when it was waited for long enough."""
    try:
        return await batches.wait(status.id, seconds)
    except (TimeoutError, ShuttingDown):
        return await batches.get(status.id)


def _preferred_wait(request: Request) -> float | None:
    """Return how long the client wants to wait, in seconds (RFC 7240); None where it does not say."""
    preferences = [each.strip().lower() for each in request.headers.get("prefer", "").split(",")]
    for each in preferences:
        if found := _WAIT.fullmatch(each):
            return min(float(found[1]), _MAX_WAIT_SECONDS)
    return 0.0 if "respond-async" in preferences else None


def _applied(preferred: float | None, *, waited: bool = True) -> dict[str, str]:
    if preferred is None or (waited and not preferred):
        return {}
    return {"preference-applied": f"wait={preferred:.0f}" if preferred else "respond-async"}
