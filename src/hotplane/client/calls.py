"""The requests of the API, without sending any: both clients build them here. Imports only `records` and its room."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Generic, TypeAlias, TypedDict, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from hotplane.client.failures import BadKey
from hotplane.client.quality import Quality
from hotplane.client.results import (
    Batch,
    BatchState,
    HealthSummary,
    Listed,
    Page,
    Plugin,
    PluginHealth,
    Readiness,
    TaskInfo,
)
from hotplane.identity import new_id
from hotplane.records import Execution
from hotplane.values import Json, checked_copy

__all__ = [
    "BatchOptions",
    "Call",
    "Submitted",
    "batch",
    "batch_action",
    "batches",
    "delete_batch",
    "events",
    "execute",
    "health",
    "leave_stream",
    "operation",
    "plugin",
    "plugin_action",
    "plugin_health",
    "plugins",
    "quality",
    "ready",
    "results",
    "submit",
    "tasks",
]

T = TypeVar("T")

Submitted: TypeAlias = dict[str, Json]
"""A batch, or where it was answered at once, its results beside it."""

_LONGEST_KEY = 255
JSON = "application/json"
NDJSON = "application/x-ndjson"
SSE = "text/event-stream"
_LEAVING_SECONDS = 5.0
_OPERATION_SECONDS = 60
"""How long a server may keep the answer back until an operation has ended."""


class BatchOptions(TypedDict, total=False):
    """How a batch or stream is run; what is left away is the server's default."""

    max_concurrency: int
    """Items at once, 1 to 1000."""
    stop_on_first_error: bool
    """Whether the first item that fails cancels what is left."""
    item_timeout_ms: int
    """Deadline for each item, up to its task's."""
    priority: int
    """-10 to 10; higher goes first."""


class Call(Struct, Generic[T], frozen=True, kw_only=True):
    """One request, and what its answer holds."""

    method: str
    path: str
    shape: type[T]
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    content: bytes | None = None
    answer_seconds: float | None = None
    """How long the answer to one try may take; null for the client's limit."""
    also: frozenset[int] = frozenset()
    """Statuses beyond 2xx whose answers have this shape, too."""

    @property
    def name(self) -> str:
        """Method and path, for people."""
        return f"{self.method} {self.path}"


def execute(
    task_id: str,
    input: Json,
    *,
    expected: Json | UnsetType,
    id: str | None,
    sample: bool,
    timeout: float | None,
    idempotency_key: str | None,
) -> Call[Execution]:
    """Return the request for one execution.

    Raises:
        NotJson: `input` or `expected` is no JSON value.
    """
    body: dict[str, Json] = {"input": checked_copy(input)}
    if expected is not UNSET:
        body["expected"] = checked_copy(expected)
    if id is not None:
        body["id"] = id
    if sample:
        body["sample"] = True
    headers = {"content-type": JSON, **_key(idempotency_key)}
    content = msgspec.json.encode(body)
    where = _path("tasks", task_id, "execute")
    return Call(method="POST", path=where, shape=Execution, headers=headers, content=content, answer_seconds=timeout)


def submit(kind: str, task_id: str, options: BatchOptions, *, idempotency_key: str | None) -> Call[Submitted]:
    """Return the request that uploads items: to a ``batch``, or to a ``stream``."""
    given = {name: value for name, value in options.items() if value is not None}
    query = {"task": task_id, **{name: _parameter(value) for name, value in given.items()}}
    headers = {"content-type": NDJSON, **_key(idempotency_key)}
    if kind == "stream":
        query["detach"] = "true"  # a lost connection must not cancel what is left
        headers["accept"] = f"{SSE}, {JSON}"
    else:
        headers["prefer"] = "respond-async"
    return Call(method="POST", path=_path(kind, "execute"), shape=dict[str, Json], query=query, headers=headers)


def batch(kind: str, batch_id: str) -> Call[Batch]:
    """Return the request for a batch's or stream's state."""
    return Call(method="GET", path=_path(kind, batch_id), shape=Batch)


def batches(task_id: str | None, state: BatchState | None, limit: int, cursor: str | None) -> Call[Page[Batch]]:
    """Return the request for a page of batches, newest first."""
    query = {"task": task_id, "state": state, "limit": str(limit), "cursor": cursor}
    return Call(
        method="GET",
        path=_path("batch"),
        shape=Page[Batch],
        query={name: str(value) for name, value in query.items() if value is not None},
    )


def batch_action(kind: str, batch_id: str, action: str) -> Call[Batch]:
    """Return the request to pause, resume or cancel."""
    return Call(method="POST", path=_path(kind, batch_id, action), shape=Batch, headers=_key(None))


def leave_stream(stream_id: str) -> Call[Batch]:
    """Return the request to cancel a stream whose reader leaves and does not want to wait long."""
    return msgspec.structs.replace(batch_action("stream", stream_id, "cancel"), answer_seconds=_LEAVING_SECONDS)


def delete_batch(batch_id: str) -> Call[None]:
    """Return the request to forget an ended batch."""
    return Call(method="DELETE", path=_path("batch", batch_id), shape=type(None))


def results(batch_id: str, after: int, *, follow: bool) -> Call[None]:
    """Return the request for results behind a cursor."""
    query = {"after": str(after), "follow": _parameter(follow)}
    path = _path("batch", batch_id, "results")
    return Call(method="GET", path=path, shape=type(None), query=query, headers={"accept": NDJSON})


def events(stream_id: str, last_event_id: str) -> Call[None]:
    """Return the request for a stream's events behind the last that came."""
    headers = {"accept": SSE} | ({"last-event-id": last_event_id} if last_event_id else {})
    return Call(method="GET", path=_path("stream", stream_id, "events"), shape=type(None), headers=headers)


def tasks() -> Call[Listed[TaskInfo]]:
    """Return the request for all tasks."""
    return Call(method="GET", path=_path("tasks"), shape=Listed[TaskInfo])


def quality(task_id: str, since: datetime | str | None, until: datetime | str | None) -> Call[Quality]:
    """Return the request for what is estimated of a task's executions."""
    given = {"since": since, "until": until}
    query = {name: _instant(value) for name, value in given.items() if value is not None}
    return Call(method="GET", path=_path("tasks", task_id, "quality"), shape=Quality, query=query)


def plugins() -> Call[Listed[Plugin]]:
    """Return the request for all plugins."""
    return Call(method="GET", path=_path("plugins"), shape=Listed[Plugin])


def plugin(plugin_id: str) -> Call[Plugin]:
    """Return the request for one plugin."""
    return Call(method="GET", path=_path("plugins", plugin_id), shape=Plugin)


def plugin_health(plugin_id: str) -> Call[PluginHealth]:
    """Return the request for a plugin's health."""
    return Call(method="GET", path=_path("plugins", plugin_id, "health"), shape=PluginHealth)


def plugin_action(plugin_id: str, action: str, *, cascade: bool = False) -> Call[dict[str, Json]]:
    """Return the request to start, stop, restart or reload a plugin; an operation that takes long is answered 202."""
    query = {"wait": str(_OPERATION_SECONDS)} | ({"cascade": "true"} if cascade else {})
    path = _path("plugins", plugin_id, action)
    return Call(method="POST", path=path, shape=dict[str, Json], query=query, headers=_key(None))


def operation(operation_id: str) -> Call[dict[str, Json]]:
    """Return the request for an operation that takes long."""
    return Call(method="GET", path=_path("operations", operation_id), shape=dict[str, Json])


def health() -> Call[HealthSummary]:
    """Return the request for the health of all plugins together."""
    return Call(method="GET", path=_path("plugins", "health", "summary"), shape=HealthSummary)


def ready() -> Call[Readiness]:
    """Return the request for a server's readiness; it answers 503 where it is not ready."""
    return Call(method="GET", path="/readyz", shape=Readiness, also=frozenset({503}))


def _path(*parts: str) -> str:
    return "/api/" + "/".join(quote(part, safe="") for part in parts)


def _key(given: str | None) -> dict[str, str]:
    if given is None:
        return {"idempotency-key": new_id()}
    # Spaces at the ends are no part of a header's value: servers would see another key.
    if not 1 <= len(given) <= _LONGEST_KEY or not given.isascii() or not given.isprintable() or given != given.strip():
        raise BadKey
    return {"idempotency-key": given}


def _parameter(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _instant(value: datetime | str) -> str:
    return value if isinstance(value, str) else value.astimezone().isoformat()
