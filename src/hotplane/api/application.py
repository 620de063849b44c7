"""The application: the door, the bare execute route, and FastAPI for everything else. The server owns the host.

Imports only lower rooms and `hotplane.api`.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, NoReturn

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from hotplane.api.docs import docs_routes
from hotplane.api.door import Application, Door, Receive, Scope, Send
from hotplane.api.idempotency import Idempotency
from hotplane.api.ongoing import Ongoing
from hotplane.api.openapi import openapi_document
from hotplane.api.queries import refuse_query, refuse_repeated
from hotplane.api.refusals import HeaderRefused, MethodNotAllowed, NoSuchPath
from hotplane.api.routes import (
    batches,
    deliveries,
    events,
    executions,
    fallback,
    health,
    metrics,
    operations,
    plugin_events,
    plugins,
    quality,
    streams,
    system,
    tasks,
    webhooks,
)
from hotplane.api.uploads import Documents, upload_limits
from hotplane.app import Hotplane
from hotplane.version import __version__

__all__ = ["api_document", "create_app"]

# `plugins` last: the fixed paths of the others would else be taken for ids.
_ROUTERS = (
    system.router,
    metrics.router,
    tasks.router,
    quality.router,
    executions.router,
    batches.router,
    streams.router,
    events.router,
    webhooks.router,
    deliveries.router,
    plugin_events.router,
    health.router,
    operations.router,
    fallback.router,
    plugins.router,
)


def create_app(host: Hotplane, ongoing: Ongoing | None = None) -> Application:
    """Return the ASGI application that serves a host; starting and stopping the host is the caller's part.

    Args:
        host: A host, started before the first request and stopped after the last.
        ongoing: Operations and event streams; who serves the application ends them before it stops the host.
    """
    management = _Management(host, ongoing or Ongoing(host.config.server))
    execute = executions.Execute(host)
    uploads = upload_limits(host.batches.settings)
    routes = [Route(executions.EXECUTE_PATH, execute, name="execute")]
    # Not mounted at "/": a mount lets no path through that has a line break in it.
    inside = _straight_to(execute, Router(routes, redirect_slashes=False, default=management))
    return Door(inside, host.config.server, uploads, keyed=Idempotency(host, inside))


def api_document() -> dict[str, Any]:
    """Return the OpenAPI document; no host is started for it."""
    host = Hotplane()
    return _Management(host, Ongoing(host.config.server)).openapi()


def _straight_to(execute: executions.Execute, otherwise: ASGIApp) -> Application:
    """Hand the plain case of the hot path over without a router, which would cost a tenth of the edge's time."""
    begin, end = executions.EXECUTE_PATH.split("{task_id}")

    def dispatch(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        path = scope["path"]
        if scope["type"] == "http" and path.startswith(begin) and path.endswith(end):
            task_id = path[len(begin) : -len(end)]
            if task_id and "/" not in task_id:
                scope["path_params"] = {"task_id": task_id}
                return execute(scope, receive, send)
        return otherwise(scope, receive, send)

    return dispatch


class _Management(FastAPI):
    """Everything but the hot path. Errors leave it as exceptions: the door turns all of them into documents."""

    def __init__(self, host: Hotplane, ongoing: Ongoing) -> None:
        super().__init__(
            title="Hotplane",
            version=__version__,
            routes=[*docs_routes()],
            docs_url=None,
            redoc_url=None,
            openapi_url=None,
            dependencies=[Depends(refuse_repeated)],
            redirect_slashes=False,
            exception_handlers={HTTPException: _refuse, RequestValidationError: refuse_query},
        )
        self.state.host = host
        self.state.ongoing = ongoing
        self.state.documents = Documents(host.config.batches.max_json_uploads, host.config.server.max_body_bytes)
        for router in _ROUTERS:
            self.include_router(router)

    def build_middleware_stack(self) -> ASGIApp:
        # The outermost part answers unexpected errors in plain text; without it they reach the door.
        stack: Any = super().build_middleware_stack()
        return stack.app

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = openapi_document(self)
        return self.openapi_schema


def _refuse(request: Request, error: Exception) -> NoReturn:
    """Raise what Starlette's router found as an error of this API."""
    path = request.scope["path"]
    status = error.status_code if isinstance(error, HTTPException) else 400
    if status == 404:
        raise NoSuchPath(path)
    if status == 405:
        raise MethodNotAllowed(request.method, ", ".join(_allowed(path)) or "GET")
    raise HeaderRefused(str(getattr(error, "detail", "it cannot be understood")))


def _allowed(path: str) -> list[str]:
    routes = (route for router in _ROUTERS for route in router.routes if isinstance(route, APIRoute))
    found = [route for route in routes if route.path_regex.match(path)]
    # In the description a fixed path stands before those with a place that it would fit too.
    fixed = [route for route in found if route.path == path]
    return sorted({method for route in fixed or found for method in route.methods or ()})
