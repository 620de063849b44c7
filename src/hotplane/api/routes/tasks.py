"""The tasks of a host. Imports only lower rooms and `hotplane.api`."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hotplane.api.answers import Items, TaskBody, TaskView, answer, body_of, host_of, task_view
from hotplane.api.bodies import Body
from hotplane.api.describe import described
from hotplane.records import Task

__all__ = ["router"]

router = APIRouter(tags=["tasks"])
_NEW = Body(Task)
_CHANGED = Body(TaskBody)

_list: Any = described(Items[TaskView], example="tasks")
_create: Any = described(TaskView, body=Task, status=201, problems=(400, 409, 413, 415, 422, 503, 507), example="task")
_one: Any = described(TaskView, problems=(404,), example="task")
_change: Any = described(TaskView, body=TaskBody, problems=(400, 404, 413, 415, 422, 503, 507), example="task")
_delete: Any = described(None, status=204, problems=(404, 409, 503, 507))
_reset: Any = described(TaskView, problems=(404, 503, 507), example="task")


@router.get("/api/tasks", operation_id="listTasks", summary="List the tasks", **_list)
async def list_tasks(request: Request) -> Response:
    """Return every task by id, those of the file and those made here."""
    return answer(Items(tuple(task_view(status) for status in host_of(request).tasks.list())))


@router.post("/api/tasks", operation_id="createTask", summary="Make a task", **_create)
async def create_task(request: Request) -> Response:
    """Make a task; it is kept over restarts."""
    created = await host_of(request).tasks.create(await body_of(request, _NEW))
    return answer(task_view(created), 201, {"location": f"/api/tasks/{quote(created.task.id, safe='')}"})


@router.get("/api/tasks/{task_id}", operation_id="getTask", summary="Show a task", **_one)
async def get_task(request: Request, task_id: str) -> Response:
    """Return a task with its source, and why it cannot run where it cannot."""
    return answer(task_view(host_of(request).tasks.status(task_id)))


@router.put("/api/tasks/{task_id}", operation_id="updateTask", summary="Change a task", **_change)
async def update_task(request: Request, task_id: str) -> Response:
    """Replace a task; one of the file is overridden until it is reset."""
    body = await body_of(request, _CHANGED)
    return answer(task_view(await host_of(request).tasks.update(body.to_task(task_id))))


@router.delete("/api/tasks/{task_id}", operation_id="deleteTask", summary="Delete a task", **_delete)
async def delete_task(request: Request, task_id: str) -> Response:
    """Delete a task that was made here; what it executed stays."""
    await host_of(request).tasks.delete(task_id)
    return Response(status_code=204)


@router.delete("/api/tasks/{task_id}/override", operation_id="resetTask", summary="Undo changes of a task", **_reset)
async def reset_task(request: Request, task_id: str) -> Response:
    """Forget what was changed here of a task of the file: the file holds again."""
    return answer(task_view(await host_of(request).tasks.reset(task_id)))
