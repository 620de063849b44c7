"""Answers of the management routes, and what they show of the host's records. Imports only lower rooms and `bodies`."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType, field
from msgspec.structs import asdict
from starlette.requests import Request
from starlette.responses import Response

from hotplane.api.bodies import Body, read_body
from hotplane.api.refusals import BodyDoesNotFit
from hotplane.app import Hotplane
from hotplane.execution import TaskStatus
from hotplane.host import HealthReport, Manager, PluginStatus, VersionStats
from hotplane.records import Task
from hotplane.values import Json

__all__ = [
    "Items",
    "LoadBody",
    "PluginLine",
    "PluginView",
    "PriorityBody",
    "TaskBody",
    "TaskView",
    "answer",
    "body_of",
    "host_of",
    "task_view",
]

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


class Items(Struct, Generic[T], frozen=True):
    """A list that is not paged."""

    items: tuple[T, ...]


class TaskView(Task, frozen=True, kw_only=True):
    """A task, and where it comes from."""

    source: Literal["file", "api"]
    overridden: bool = False
    """Whether the API changed a task of the file."""
    problem: str | None = None
    """Why it cannot run now."""


class TaskBody(Task, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task as PUT takes it: its id is in the path."""

    id: str | UnsetType = UNSET  # pyright: ignore[reportIncompatibleVariableOverride] - the path has it

    def to_task(self, task_id: str) -> Task:
        """Return the task.

        Raises:
            BodyDoesNotFit: The body names another id than the path.
        """
        if self.id is not UNSET and self.id != task_id:
            raise BodyDoesNotFit(f"the id {self.id[:200]!r} is not that of the path; a task keeps its id", "/id")
        fields: dict[str, Any] = {**asdict(self), "id": task_id}
        return Task(**fields)


class PluginLine(PluginStatus, frozen=True, kw_only=True):
    """A plugin in a list."""

    health: HealthReport | UnsetType = UNSET
    """Where it was asked for."""


class PluginView(PluginStatus, frozen=True, kw_only=True):
    """A plugin with all that is known of it."""

    config_schema: Mapping[str, Json]
    """JSON Schema of its configuration; empty while its type is not known."""
    health: HealthReport
    versions: tuple[VersionStats, ...]
    """The numbers of its latest versions, the latest last."""


class LoadBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to load: a file or package, or a class by reference."""

    path: str | None = None
    """File or package, relative to the server's current folder."""
    reference: str | None = None
    """``package.module:Class``."""
    id: str | None = None
    """By default the file's name without its ending, or the class's."""
    configuration: Mapping[str, Json] = field(default_factory=dict[str, Json])

    def load_into(self, plugins: Manager) -> Coroutine[Any, Any, PluginStatus]:
        """Return what loads it.

        Raises:
            BodyDoesNotFit: Not exactly one of path and reference is given, or the path cannot be one.
        """
        if self.path is not None and "\0" in self.path:
            raise BodyDoesNotFit("no path has a null character", "/path")
        if self.path is not None and self.reference is None:
            return plugins.load_path(Path(self.path), id=self.id, configuration=self.configuration)
        if self.reference is not None and self.path is None:
            return plugins.load_reference(self.reference, id=self.id, configuration=self.configuration)
        raise BodyDoesNotFit("either `path` or `reference` has to be given")


class PriorityBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A plugin's place in its kind's chain."""

    priority: int
    """Higher runs earlier."""


def host_of(request: Request) -> Hotplane:
    """Return the host that the application serves."""
    host: Any = request.app.state.host
    return host


async def body_of(request: Request, shape: Body[T]) -> T:
    """Return a request's decoded body; raises what `read_body` and `Body.decode` raise."""
    limit = host_of(request).config.server.max_body_bytes
    return shape.decode(await read_body(request.receive, limit))


def task_view(status: TaskStatus) -> TaskView:
    """Return what the API shows of a task."""
    return TaskView(**asdict(status.task), source=status.source, overridden=status.overridden, problem=status.problem)


def answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return Response(_encode(value), status, headers, media_type="application/json")
