"""The OpenAPI document: what FastAPI knows, the bare routes beside it, the structs' schemas, and every problem.

Imports only lower rooms and `hotplane.api`.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from hotplane.api.answers import Items, LoadBody, PluginLine, PluginView, PriorityBody, TaskBody, TaskView
from hotplane.api.batch_bodies import BatchAnswer, BatchBody, ValidateAnswer, ValidateBody
from hotplane.api.describe import EXAMPLE_KEY, PROBLEMS_KEY, REFERENCE, described
from hotplane.api.event_docs import EVENT_EXAMPLES, EVENT_MODELS
from hotplane.api.examples import EXAMPLES, PARAMETERS
from hotplane.api.items import ItemBody
from hotplane.api.links import links_of
from hotplane.api.operations import Operation
from hotplane.api.problems import MEDIA_TYPE, ProblemDocument
from hotplane.api.routes.executions import EXECUTE_PATH, ExecuteBody
from hotplane.api.routes.fallback import StrategyBody
from hotplane.api.routes.health import HealthOverview
from hotplane.api.routes.system import Liveness, ProblemType, Readiness, Stats, problem_types
from hotplane.execution.batch import BatchStatus, ItemResult
from hotplane.execution.quality import QualityReport
from hotplane.host import HealthReport, PluginStatus, Refreshed
from hotplane.records import Execution, Task
from hotplane.routing import FallbackStatus, FallbackTest
from hotplane.storage import Page
from hotplane.values import Json
from hotplane.version import __version__

__all__ = ["openapi_document"]

_MODELS: tuple[Any, ...] = (
    ExecuteBody, Execution, Page[Execution], Task, TaskBody, TaskView, Items[TaskView], PluginStatus, PluginView,
    PluginLine, Items[PluginLine], PriorityBody, LoadBody, StrategyBody, FallbackStatus, FallbackTest,
    Items[Refreshed], Operation, HealthReport, Items[HealthReport], HealthOverview, dict[str, Json], Liveness,
    Readiness, Stats, ProblemType, ProblemDocument, QualityReport, ItemBody, BatchBody, BatchAnswer,
    ItemResult, BatchStatus, Page[BatchStatus], ValidateBody, ValidateAnswer, *EVENT_MODELS,
)  # fmt: skip
_EVERYWHERE = (400, 401, 421, 431, 500, 503)
_CHANGES = (403, 408)
_KEYED = (409, 422)
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Names the request: one with the same key is not done again, but gets the answer of the first. "
    "Another request with it gets 422, and 409 while the first has not ended.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}
_OPEN = {"/livez", "/readyz", "/errors/{code}"}
_DESCRIPTION = """
The HTTP API of Hotplane, the hot-swap backplane for Python services.

Every refusal and failure is a problem document (RFC 9457) of the type `application/problem+json`; its `type` can be
looked up at this server, and `code` is stable. The examples work against the example project of the repository.
"""
_TAGS = [
    {"name": "executions", "description": "Executing tasks, and what was executed."},
    {
        "name": "batches",
        "description": "Many items at once: batches, and streams whose items arrive while results leave.",
    },
    {"name": "events", "description": "What happened: listed, followed, published, delivered anew."},
    {"name": "webhooks", "description": "Handlers that take events out of the host, and their deliveries."},
    {"name": "tasks", "description": "Named units of work: program, schemas, route, limits."},
    {"name": "plugins", "description": "What is plugged in, switching, reloading and configuring it."},
    {"name": "fallback", "description": "Where a runner's work goes while it cannot do it."},
    {"name": "health", "description": "How the plugins are."},
    {"name": "system", "description": "The host as a whole."},
]


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application and the bare execute route beside it."""
    document = get_openapi(
        title="Hotplane", version=__version__, description=_DESCRIPTION, routes=app.routes, tags=_TAGS
    )
    document["paths"][EXECUTE_PATH] = {"post": _execute_operation()}
    _, schemas = msgspec.json.schema_components(_MODELS, ref_template=REFERENCE)
    for path, method, operation in _operations(document):
        _finish(path, method, operation)
    document["components"] = {
        "schemas": schemas,
        "responses": {f"Problem{status}": _problem(status) for status in sorted(_statuses())},
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "Where tokens are set."}},
    }
    return document


def _execute_operation() -> dict[str, Any]:
    described_as = described(Execution, body=ExecuteBody, problems=(404, 413, 415, 422, 507), example="execution")
    return {
        "operationId": "executeTask",
        "summary": "Execute a task",
        "description": "Run a task on an input and return the stored record. The answer is 200 whatever the program "
        "did: `status` tells. An input that does not fit the task's schema is recorded and answered with 422.",
        "tags": ["executions"],
        "parameters": [
            {"name": "task_id", "in": "path", "required": True, "schema": {"type": "string", "title": "Task Id"}}
        ],
        "responses": {str(status): each for status, each in described_as["responses"].items()},
        **described_as["openapi_extra"],
    }


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield path, method, operation


def _finish(path: str, method: str, operation: dict[str, Any]) -> None:
    """Write out an operation's problems, links, security and the examples of its parameters."""
    answers = operation["responses"]
    answers.pop("422", None)  # FastAPI's own shape, which this API does not use
    for holder in (operation.get("requestBody", {}), *answers.values()):
        for content in holder.get("content", {}).values():
            if EXAMPLE_KEY in content:
                name = content.pop(EXAMPLE_KEY)
                content["example"] = EVENT_EXAMPLES[name] if name in EVENT_EXAMPLES else EXAMPLES[name]
    own = operation.pop(PROBLEMS_KEY, ())
    changes = _CHANGES if method != "get" else ()
    keyed = _KEYED if method == "post" else ()
    for status in sorted({*own, *_EVERYWHERE, *changes, *keyed}):
        answers.setdefault(str(status), {"$ref": f"#/components/responses/Problem{status}"})
    for status, links in links_of(operation["operationId"]).items():
        answers[status]["links"] = links
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in PARAMETERS:
            parameter["example"] = PARAMETERS[parameter["name"]]
    if keyed:
        operation.setdefault("parameters", []).append(_KEY)
    operation["security"] = [{}] if path in _OPEN else [{"token": []}, {}]


def _statuses() -> set[int]:
    return {kind.status for kind in problem_types().values()} | {*_EVERYWHERE, *_CHANGES}


def _problem(status: int) -> dict[str, Any]:
    kinds = sorted((kind for kind in problem_types().values() if kind.status == status), key=lambda kind: kind.type)
    codes = ", ".join(f"`{kind.type.rpartition('/')[2]}`" for kind in kinds)
    first = kinds[0]
    example = {
        "type": first.type,
        "title": first.title,
        "status": status,
        "detail": first.description,
        "code": first.type.rpartition("/")[2],
    }
    content = {"schema": {"$ref": REFERENCE.format(name="ProblemDocument")}, "example": example}
    return {"description": f"{HTTPStatus(status).phrase}: {codes}.", "content": {MEDIA_TYPE: content}}
