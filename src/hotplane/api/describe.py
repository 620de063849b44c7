"""How an operation is described to FastAPI: the answers are msgspec structs, whose schemas `openapi` adds later.

Imports nothing of Hotplane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from fastapi.responses import Response

__all__ = ["EXAMPLE_KEY", "PROBLEMS_KEY", "REFERENCE", "SERVER_SENT_EVENT", "content_of", "described", "schema_of"]

PROBLEMS_KEY = "x-problems"
"""Where an operation lists the statuses of its own problems until `openapi` writes them out."""
EXAMPLE_KEY = "x-example"
"""Where a body names its example until `openapi` writes it out: FastAPI would drop the nulls in it."""
REFERENCE = "#/components/schemas/{name}"


SERVER_SENT_EVENT: dict[str, Any] = {
    "type": ["string", "object"],
    "description": "As a whole it is text; read event by event, each has these fields.",
    "properties": {
        "id": {"type": "string", "description": "Where to go on behind it: the next `Last-Event-ID`."},
        "event": {"type": "string", "description": "What kind of event it is."},
        "data": {"type": "string", "description": "One line of JSON."},
    },
    "required": ["data"],
}
"""OpenAPI before 3.2 does not say whether the schema of an event stream is that of its text or of one event: both."""


def schema_of(model: Any) -> dict[str, Any]:
    """Return a reference to the schema of a struct."""
    schemas, _ = msgspec.json.schema_components([model], ref_template=REFERENCE)
    return schemas[0]


def content_of(model: Any, example: str | None = None) -> dict[str, Any]:
    """Return the description of a JSON body."""
    described: dict[str, Any] = {"schema": schema_of(model)}
    if example is not None:
        described[EXAMPLE_KEY] = example
    return {"application/json": described}


def described(
    model: Any,
    *,
    body: Any = None,
    body_example: str | None = None,
    status: int = 200,
    problems: Sequence[int] = (),
    others: Mapping[int, tuple[str, Any]] | None = None,
    example: str | None = None,
) -> dict[str, Any]:
    """Return the keyword arguments of a FastAPI route that describe its bodies.

    Args:
        model: The struct that it answers with; None for no body.
        body: The struct that it takes, or another type.
        body_example: Name of the example of the body; by default that of the struct.
        status: The status of success.
        problems: Statuses of the problems that are its own; those that every operation has come by themselves.
        others: Further answers: by status a description and a struct.
        example: Name of the example of the answer.
    """
    done: dict[str, Any] = {"description": "Done." if model is None else "The answer."}
    if model is not None:
        done["content"] = content_of(model, example)
    answers = {status: done}
    for code, (words, other) in (others or {}).items():
        answers[code] = {"description": words, "content": content_of(other)}
    extra: dict[str, Any] = {PROBLEMS_KEY: list(problems)}
    if body is not None:
        extra["requestBody"] = {"required": True, "content": content_of(body, body_example or body.__name__)}
    return {
        "status_code": status,
        "response_class": Response,
        "response_model": None,
        "responses": answers,
        "openapi_extra": extra,
    }
