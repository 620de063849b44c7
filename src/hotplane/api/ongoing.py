"""What outlives a request, or lasts as long as one wants: operations and event streams of one server.

Imports only `operations`, `streams`, `answers` and `problems`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any

import msgspec
from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from hotplane.api.answers import answer
from hotplane.api.operations import Operations, Running
from hotplane.api.problems import MEDIA_TYPE
from hotplane.api.streams import Streams
from hotplane.config import ServerSettings

__all__ = ["MAX_WAIT_SECONDS", "Ongoing", "WaitQuery", "ongoing_of", "operate"]

MAX_WAIT_SECONDS = 300.0
_FIRST_STEPS = 3


class Ongoing:
    """Operations and event streams.

    Args:
        settings: Their limits.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.operations = Operations(settings.max_operations)
        self.streams = Streams(settings.max_event_streams)
        self.event_queue = settings.event_queue


class WaitQuery(BaseModel):
    """Whether to wait for what was asked for."""

    model_config = ConfigDict(extra="forbid")

    wait: Annotated[
        float | None,
        Field(
            ge=0,
            le=MAX_WAIT_SECONDS,
            allow_inf_nan=False,
            description="Seconds to wait for the result; with 202 it is not there yet. Left away: 202 at once.",
        ),
    ] = None


def ongoing_of(request: Request) -> Ongoing:
    """Return what goes on at the server."""
    ongoing: Any = request.app.state.ongoing
    return ongoing


async def operate(
    request: Request,
    kind: str,
    work: Coroutine[Any, Any, object],
    *,
    plugin_id: str | None = None,
    wait: float | None,
) -> Response:
    """Begin an operation, and answer with its result, or with 202 and where it can be asked for.

    What is refused at once is answered as a refusal, also when nobody waits.

    Args:
        request: The request.
        kind: What is done.
        work: What does it.
        plugin_id: Whom it is done to.
        wait: Seconds to wait for the result.
    """
    operations = ongoing_of(request).operations
    running = operations.begin(kind, work, plugin_id=plugin_id, instance=request.url.path)
    if wait:
        await asyncio.wait({running.task}, timeout=wait)
    for _ in range(_FIRST_STEPS):
        if not running.task.done():
            await asyncio.sleep(0)
    if running.task.done() and (wait is not None or running.operation.problem is not None):
        return _result(running)
    place = f"/api/operations/{running.operation.id}"
    return answer(running.operation, 202, {"location": place})


def _result(running: Running) -> Response:
    if running.error is not None:
        raise running.error
    problem = running.operation.problem
    if problem is not None:
        return Response(msgspec.json.encode(problem), problem.status, media_type=MEDIA_TYPE)
    return Response(status_code=204) if running.value is None else answer(running.value)
