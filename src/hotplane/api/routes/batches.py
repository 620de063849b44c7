"""Batches: many executions submitted together, steered, followed and judged. Imports lower rooms and `hotplane.api`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec import UNSET
from pydantic import BaseModel, ConfigDict, Field

from hotplane.api.answers import answer, host_of
from hotplane.api.batch_bodies import BatchAnswer, ValidateAnswer, ValidateBody
from hotplane.api.batch_docs import NDJSON_RESULTS, RESULT_EVENTS, batch_answer
from hotplane.api.bodies import Body
from hotplane.api.describe import described
from hotplane.api.following import cursor_of, end_id, event_parts, line_parts
from hotplane.api.ongoing import ongoing_of
from hotplane.api.refusals import BodyDoesNotFit
from hotplane.api.submitting import OptionsQuery, answer_to, document_of_batch, submit, upload
from hotplane.api.unending import EVENT_STREAM, Unending
from hotplane.api.uploads import EXECUTE_BATCH, NDJSON, VALIDATE_BATCH, is_ndjson
from hotplane.errors import BatchTooLarge, EmptyBatch, InvalidCursor, NotJson
from hotplane.execution.batch import BatchState, BatchStatus
from hotplane.storage import Page
from hotplane.values import checked_copy, pointer

__all__ = ["follow_events", "router"]

_VALIDATED = 10
"""Outputs that are judged in one request, as a multiple of the items that a batch answers at once."""

router = APIRouter(tags=["batches"])


class BatchQuery(BaseModel):
    """Which batches, and how many."""

    model_config = ConfigDict(extra="forbid")

    task: Annotated[str | None, Field(description="Id of the task.")] = None
    state: Annotated[BatchState | None, Field(description="Where they are.")] = None
    limit: Annotated[int, Field(ge=1, le=1000, description="The most items of one answer.")] = 50
    cursor: Annotated[str | None, Field(max_length=200, description="`next_cursor` of the page before.")] = None


class ResultsQuery(BaseModel):
    """Which results."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[str, Field(max_length=40, description="`sequence` of the last result that is known.")] = "0"
    limit: Annotated[int | None, Field(ge=1, description="The most results of the answer; all by default.")] = None
    follow: Annotated[bool, Field(description="Whether the answer goes on until the batch ends.")] = False


_VALIDATE = Body(ValidateBody)
_execute: Any = batch_answer(BatchAnswer, BatchStatus)
_validate: Any = described(
    ValidateAnswer, body=ValidateBody, problems=(404, 408, 413, 415, 422), example="validate-answer"
)
_list: Any = described(Page[BatchStatus], problems=(422,), example="batches")
_one: Any = described(BatchStatus, problems=(404,), example="batch")
_steer: Any = described(BatchStatus, problems=(404, 409, 507), example="batch")
_cancel: Any = described(BatchStatus, problems=(404, 507), example="batch")
_delete: Any = described(None, status=204, problems=(404, 409, 507))


@router.post(EXECUTE_BATCH, operation_id="executeBatch", summary="Execute a task on many items", **_execute)
async def execute_batch(request: Request, query: Annotated[OptionsQuery, Query()]) -> Response:
    """Store items and run a task on each of them.

    They come as one JSON document, an object or an array, or as NDJSON, one item a line, which is read as it
    arrives and may have 100 000 of them. Array and NDJSON have task and options in the query. A small batch is answered
    with its results when it has ended, any other with 202, and so is every batch after `Prefer: respond-async`. A line
    that is no item has a result of its own, `rejected`, and the others run; in one document it refuses the whole. When
    the client leaves in mid-upload, what arrived whole runs, and the batch is `truncated`.
    """
    if is_ndjson(request.headers.get("content-type", "")):
        status = await upload(request, query)
    else:
        status = await submit(request, query)
    return await answer_to(request, status)


@router.post(VALIDATE_BATCH, operation_id="validateBatch", summary="Judge outputs without running", **_validate)
async def validate_batch(request: Request) -> Response:
    """Ask the validators about outputs that somebody else produced; runs no program and records nothing."""
    batches = host_of(request).batches
    async with document_of_batch(request) as content:
        body = _VALIDATE.decode(content)
    if not body.items:
        raise EmptyBatch
    limit = batches.settings.answer_at_once * _VALIDATED
    if len(body.items) > limit:
        raise BatchTooLarge(limit, "items here", "batches.answer_at_once")
    _check_candidates(body)
    verdicts = await batches.validate_items(body.task_id, [each.to_candidate() for each in body.items])
    return answer(ValidateAnswer.of(verdicts))


@router.get("/api/batch", operation_id="listBatches", summary="List batches and streams, newest first", **_list)
async def list_batches(request: Request, query: Annotated[BatchQuery, Query()]) -> Response:
    """Return one page of the batches that every filter fits; the next begins at `next_cursor`."""
    batches = host_of(request).batches
    return answer(await batches.list(task_id=query.task, state=query.state, limit=query.limit, cursor=query.cursor))


@router.get("/api/batch/{batch_id}", operation_id="getBatch", summary="Show a batch", **_one)
async def get_batch(request: Request, batch_id: str) -> Response:
    """Return its state, counts, rate and the time that is left."""
    return answer(await host_of(request).batches.get(batch_id))


@router.post("/api/batch/{batch_id}/pause", operation_id="pauseBatch", summary="Pause a batch", **_steer)
async def pause_batch(request: Request, batch_id: str) -> Response:
    """Start no more items; those that run finish. It stays paused over a restart of the host."""
    return answer(await host_of(request).batches.pause(batch_id))


@router.post("/api/batch/{batch_id}/resume", operation_id="resumeBatch", summary="Resume a batch", **_steer)
async def resume_batch(request: Request, batch_id: str) -> Response:
    """Go on after a pause."""
    return answer(await host_of(request).batches.resume(batch_id))


@router.post("/api/batch/{batch_id}/cancel", operation_id="cancelBatch", summary="Cancel a batch", **_cancel)
async def cancel_batch(request: Request, batch_id: str) -> Response:
    """Cancel what runs and what waits; every item gets its result. One that has ended is left alone."""
    return answer(await host_of(request).batches.cancel(batch_id))


@router.delete("/api/batch/{batch_id}", operation_id="deleteBatch", summary="Delete a batch that ended", **_delete)
async def delete_batch(request: Request, batch_id: str) -> Response:
    """Forget the batch and its results; the records of its executions stay."""
    await host_of(request).batches.delete(batch_id)
    return Response(status_code=204)


@router.get(
    "/api/batch/{batch_id}/results", operation_id="getBatchResults", summary="Read a batch's results", **NDJSON_RESULTS
)
async def get_results(request: Request, batch_id: str, query: Annotated[ResultsQuery, Query()]) -> Response:
    """Return results as NDJSON in the order of the ledger, also while the batch runs.

    The cursor is the `sequence` of the last line that was read. With `follow` the answer goes on until the batch ends,
    with blank lines while nothing happens; without, it ends with what is there. An answer that could not be completed
    is cut off, so that nobody takes it for whole.
    """
    batches, streams = host_of(request).batches, ongoing_of(request).streams
    after = cursor_of(query.after)
    await batches.check_cursor(batch_id, after)
    parts = line_parts(
        batches,
        batch_id,
        after,
        follow=query.follow,
        limit=query.limit,
        heartbeat_seconds=streams.heartbeat_seconds,
    )
    return Unending(parts, streams, NDJSON)


@router.get("/api/batch/{batch_id}/events", operation_id="followBatch", summary="Follow a batch", **RESULT_EVENTS)
async def follow_batch(request: Request, batch_id: str) -> Response:
    """Send results and progress as Server-Sent Events until the batch has ended.

    `result` has the result's sequence as its id, `progress` (at most one a second) none, `end` the last one's. With
    `Last-Event-ID` results go on behind it, also after a restart of the host; behind the end there is nothing, 204.
    """
    return await follow_events(request, await host_of(request).batches.get(batch_id))


async def follow_events(request: Request, status: BatchStatus) -> Response:
    """Return the events of a batch from where `Last-Event-ID` says."""
    batches, streams = host_of(request).batches, ongoing_of(request).streams
    last = request.headers.get("last-event-id", "").strip() or "0"
    if last.startswith("end-"):
        if not status.ended or last != end_id(status):
            raise InvalidCursor(last)
        return Response(status_code=204)
    after = cursor_of(last)
    await batches.check_cursor(status.id, after)
    parts = event_parts(batches, status.id, after, heartbeat_seconds=streams.heartbeat_seconds)
    return Unending(parts, streams, EVENT_STREAM)


def _check_candidates(body: ValidateBody) -> None:
    seen: set[str] = set()
    for index, each in enumerate(body.items):
        name = each.id or str(index + 1)
        if name in seen:
            raise BodyDoesNotFit("an earlier item has the same id", pointer("items", index, "id"))
        seen.add(name)
        for field in ("output", "input", "expected"):
            _check_value(getattr(each, field), pointer("items", index, field))


def _check_value(value: object, place: str) -> None:
    if value is UNSET:
        return
    try:
        checked_copy(value)
    except NotJson as error:
        raise NotJson(error.reason, place + error.problems[0].pointer) from None
