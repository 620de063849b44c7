"""How uploads and answers in lines and events are described. Imports only `describe`, `batch_bodies` and `examples`."""

from __future__ import annotations

from typing import Any

from fastapi.responses import Response

from hotplane.api.batch_bodies import BatchBody
from hotplane.api.batch_examples import LINES, RESULT_EVENT_LINES, RESULT_LINES, STREAM_EVENT_LINES
from hotplane.api.describe import EXAMPLE_KEY, PROBLEMS_KEY, SERVER_SENT_EVENT, described, schema_of
from hotplane.api.items import ItemBody
from hotplane.api.unending import EVENT_STREAM
from hotplane.api.uploads import JSON, NDJSON

__all__ = ["BATCH_UPLOAD", "ITEM_LINES", "NDJSON_RESULTS", "RESULT_EVENTS", "STREAM_ANSWER", "batch_answer"]

_PREFER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "`respond-async`: answer 202 at once. `wait=N`: wait up to N seconds (30 by default, at most 300) "
    "for the end of a small batch.",
    "example": "respond-async",
}
_LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The id of the last event that was received; what comes behind it is sent.",
    "example": "0",
}
_LINES: dict[str, Any] = {
    "schema": {"type": "string", "description": "One item (`ItemBody`) a line."},
    "example": LINES,
}

ITEM_LINES: dict[str, Any] = {"required": True, "content": {NDJSON: _LINES}}
"""The body that is items and nothing else."""

BATCH_UPLOAD: dict[str, Any] = {
    "required": True,
    "content": {
        JSON: {
            "schema": {"oneOf": [schema_of(BatchBody), {"type": "array", "items": schema_of(ItemBody)}]},
            EXAMPLE_KEY: "BatchBody",
        },
        NDJSON: _LINES,
    },
}
"""The body of a batch: one document or lines."""


def batch_answer(model: Any, later: Any) -> dict[str, Any]:
    """Return the description of the request that makes a batch."""
    words = "The batch, which goes on; `Location` says where it is found."
    route = described(
        model, problems=(404, 408, 413, 415, 422, 507), others={202: (words, later)}, example="batch-answer"
    )
    route["openapi_extra"] |= {"requestBody": BATCH_UPLOAD, "parameters": [_PREFER]}
    return route


def _parts(media_type: str, example: str, words: str, problems: tuple[int, ...], **extra: Any) -> dict[str, Any]:
    schema = SERVER_SENT_EVENT if media_type == EVENT_STREAM else {"type": "string"}
    content = {media_type: {"schema": schema, "example": example}}
    return {
        "response_class": Response,
        "response_model": None,
        "responses": {200: {"description": words, "content": content}},
        "openapi_extra": {PROBLEMS_KEY: list(problems), **extra},
    }


NDJSON_RESULTS: dict[str, Any] = _parts(NDJSON, RESULT_LINES, "One result (`ItemResult`) a line.", (400, 404, 422))
RESULT_EVENTS: dict[str, Any] = _parts(
    EVENT_STREAM, RESULT_EVENT_LINES, "Events, until the end.", (400, 404), parameters=[_LAST_EVENT_ID]
)
RESULT_EVENTS["responses"][204] = {"description": "There is nothing behind the end: do not come back."}
STREAM_ANSWER: dict[str, Any] = _parts(
    EVENT_STREAM,
    STREAM_EVENT_LINES,
    "Events, from now on until the end; `Location` says where the stream is found.",
    (404, 408, 413, 415, 422, 507),
    requestBody=ITEM_LINES,
)
