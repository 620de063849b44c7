"""Streams: items go in while results come out. Imports only lower rooms and `hotplane.api`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec.structs import replace
from pydantic import Field

from hotplane.api.answers import answer, host_of
from hotplane.api.batch_docs import RESULT_EVENTS, STREAM_ANSWER
from hotplane.api.describe import described
from hotplane.api.duplex import StreamAnswer
from hotplane.api.intake import give_up
from hotplane.api.ongoing import ongoing_of
from hotplane.api.routes.batches import follow_events
from hotplane.api.submitting import OptionsQuery, create_batch, options_of
from hotplane.api.uploads import EXECUTE_STREAM
from hotplane.app import Hotplane
from hotplane.errors import EmptyBatch, HotplaneError, UnknownBatch
from hotplane.execution.batch import BatchStatus

__all__ = ["router"]

router = APIRouter(tags=["batches"])


class StreamQuery(OptionsQuery):
    """How a stream is to run."""

    detach: Annotated[
        bool,
        Field(description="Whether the items that are left still run when the reader of this answer leaves."),
    ] = False


_one: Any = described(BatchStatus, problems=(404,), example="stream")
_cancel: Any = described(BatchStatus, problems=(404, 507), example="stream")


@router.post(
    EXECUTE_STREAM, operation_id="executeStream", summary="Execute a task on a stream of items", **STREAM_ANSWER
)
async def execute_stream(request: Request, query: Annotated[StreamQuery, Query()]) -> Response:
    """Run a task on items as they arrive, one a line (NDJSON), and send the results as Server-Sent Events meanwhile.

    The answer begins at once: `Location` and the first event, `stream`, say where the stream is found; then come
    the events of `GET /api/stream/{batch_id}/events`. Reading the items never waits for the one who reads the results.
    When that one leaves, what is left is cancelled, unless `detach` is true. What goes wrong with the upload after the
    answer began is an event `problem`, whose data is a problem document, before the end.
    """
    host, streams = host_of(request), ongoing_of(request).streams
    if request.headers.get("content-length") == "0":
        raise EmptyBatch
    streams.check()
    status = await create_batch(request, replace(options_of(request, query), kind="stream"))
    max_depth = host.config.server.max_depth
    try:
        return StreamAnswer(host.batches, status.id, streams, detach=query.detach, max_depth=max_depth)
    except HotplaneError:  # others came first while it was stored
        await give_up(host.batches, status.id)
        raise


@router.get("/api/stream/{batch_id}", operation_id="getStream", summary="Show a stream", **_one)
async def get_stream(request: Request, batch_id: str) -> Response:
    """Return its state, counts and rate."""
    return answer(await _stream(host_of(request), batch_id))


@router.post("/api/stream/{batch_id}/cancel", operation_id="cancelStream", summary="Cancel a stream", **_cancel)
async def cancel_stream(request: Request, batch_id: str) -> Response:
    """Cancel what runs and what waits; what still arrives is not read. One that has ended is left alone."""
    host = host_of(request)
    await _stream(host, batch_id)
    return answer(await host.batches.cancel(batch_id))


@router.get("/api/stream/{batch_id}/events", operation_id="followStream", summary="Follow a stream", **RESULT_EVENTS)
async def follow_stream(request: Request, batch_id: str) -> Response:
    """Send results and progress as Server-Sent Events until the stream has ended; a browser's EventSource can read it.

    `result` has the result's sequence as its id, `progress` (at most one a second) none, `end` the last one's. With
    `Last-Event-ID` results go on behind it, also after a restart of the host; behind the end there is nothing, 204.
    """
    return await follow_events(request, await _stream(host_of(request), batch_id))


async def _stream(host: Hotplane, batch_id: str) -> BatchStatus:
    status = await host.batches.get(batch_id)
    if status.kind != "stream":
        raise UnknownBatch(batch_id)
    return status
