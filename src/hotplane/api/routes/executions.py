"""Executing tasks, and looking at what was executed. Imports only lower rooms and `hotplane.api`.

`Execute` is a bare ASGI endpoint: it is the hot path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec import UNSET, Struct, UnsetType
from pydantic import BaseModel, ConfigDict, Field

from hotplane.api.answers import answer, host_of
from hotplane.api.bodies import Body, Receive, read_body
from hotplane.api.describe import described
from hotplane.api.door import Scope, Send
from hotplane.api.exchange import ANSWER
from hotplane.api.instants import Instant
from hotplane.api.keyed import OUTCOME_ID
from hotplane.api.problems import document_of, send_problem
from hotplane.api.refusals import MethodNotAllowed
from hotplane.app import Hotplane
from hotplane.errors import InputRejected, NotJson, OutputRejected
from hotplane.records import Execution, ExecutionStatus
from hotplane.storage import ExecutionFilter, Page
from hotplane.values import Json, checked_copy

__all__ = ["EXECUTE_PATH", "Execute", "ExecuteBody", "router"]

EXECUTE_PATH = "/api/tasks/{task_id}/execute"
MAX_LIMIT = 1000

router = APIRouter(tags=["executions"])
_encode = msgspec.json.Encoder().encode


class ExecuteBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to execute a task on."""

    input: Json
    """The task's input."""
    expected: Json | UnsetType = UNSET
    """What the output should be, where it is known: validators compare."""
    id: str | None = None
    """The execution's id; the host mints one when it is left away. A repeated id is a rerun."""
    sample: bool = False
    """Whether it is sampled, and so judged, whatever the samplers say; estimates do not count it for that."""


class Execute:
    """``POST /api/tasks/{task_id}/execute``: the answer is the stored record, whatever its status.

    Args:
        host: What executes.
    """

    def __init__(self, host: Hotplane) -> None:
        settings = host.config.server
        self._execute = host.execute
        self._limit = settings.max_body_bytes
        self._decode = Body(ExecuteBody, settings.max_depth).decode

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        if scope["method"] != "POST":
            raise MethodNotAllowed(scope["method"], "POST")
        body = self._decode(await read_body(receive, self._limit))
        outcome_id = scope.get(OUTCOME_ID)
        try:
            execution = await self._execute(
                scope["path_params"]["task_id"],
                body.input,
                expected=body.expected,
                id=outcome_id if body.id is None else body.id,
                sample=body.sample,
                minted=body.id is None and outcome_id is not None,
            )
        except InputRejected as error:
            await send_problem(send, document_of(error, scope["path"], below="/input"))
            return
        except OutputRejected as error:
            await send_problem(send, document_of(error, scope["path"], below="/output"))
            return
        except NotJson as error:
            await send_problem(send, document_of(error, scope["path"], below=_offender(body)))
            return
        content = _encode(execution)
        answer = scope["extensions"].get(ANSWER) if "extensions" in scope else None
        if answer is None or not answer(content):
            await _send(send, content)


async def _send(send: Send, content: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _offender(body: ExecuteBody) -> str:
    """Return the pointer of the field that is not in the JSON data model."""
    try:
        checked_copy(body.input)
    except NotJson:
        return "/input"
    return "/expected"


_VERDICTS: Mapping[str, bool | Literal["unjudged"]] = {"true": True, "false": False, "unjudged": "unjudged"}


class ExecutionQuery(BaseModel):
    """Which executions, and how many."""

    model_config = ConfigDict(extra="forbid")

    task: Annotated[str | None, Field(description="Id of the task.")] = None
    status: Annotated[ExecutionStatus | None, Field(description="How they ended.")] = None
    sampled: Annotated[bool | None, Field(description="Whether a sampler picked them.")] = None
    valid: Annotated[Literal["true", "false", "unjudged"] | None, Field(description="The validators' verdict.")] = None
    started_from: Annotated[
        Instant | None,
        Field(alias="from", description="Started at or after this instant (RFC 3339, with its offset)."),
    ] = None
    started_to: Annotated[
        Instant | None, Field(alias="to", description="Started before this instant (RFC 3339, with its offset).")
    ] = None
    id: Annotated[str | None, Field(description="Id of the execution; a rerun has the same.")] = None
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="The most items of one answer.")] = 50
    cursor: Annotated[str | None, Field(max_length=200, description="`next_cursor` of the page before.")] = None

    def to_filter(self) -> ExecutionFilter:
        """Return what the store is asked for."""
        return ExecutionFilter(
            task_id=self.task,
            execution_id=self.id,
            status=self.status,
            sampled=self.sampled,
            valid=_VERDICTS.get(self.valid or ""),
            started_from=self.started_from,
            started_to=self.started_to,
        )


_list: Any = described(Page[Execution], problems=(422, 503), example="executions")
_one: Any = described(Execution, problems=(404, 503), example="execution")


@router.get("/api/executions", operation_id="listExecutions", summary="List executions, newest first", **_list)
async def list_executions(request: Request, query: Annotated[ExecutionQuery, Query()]) -> Response:
    """Return one page of the executions that every filter fits; the next begins at `next_cursor`."""
    store = host_of(request).store
    return answer(await store.list_executions(query.to_filter(), limit=query.limit, cursor=query.cursor))


@router.get("/api/executions/{execution_id}", operation_id="getExecution", summary="Show an execution", **_one)
async def get_execution(request: Request, execution_id: str) -> Response:
    """Return the newest run with an id, with its sampling decision and validations."""
    return answer(await host_of(request).store.get_execution(execution_id))
