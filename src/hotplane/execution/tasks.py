"""The tasks of a host: declared in the file or made through the API, each compiled once.

Imports only `records`, `schemas`, `identity`, `errors` and `values`; programs and storage come as arguments.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct

from hotplane.errors import DeclaredInFile, DuplicateTask, HotplaneError, Invalid, Problem, TaskNotRunnable, UnknownTask
from hotplane.identity import check_id, new_id
from hotplane.records import Event, EventType, Task, now
from hotplane.schemas import Schema

__all__ = ["Plan", "TaskStatus", "TaskStore", "TaskTable"]


class TaskStore(Protocol):
    """Where tasks of the API are kept."""

    async def put_task(self, task: Task, event: Event | None) -> None:
        """Keep a task, in one commit with what happened."""
        ...

    async def delete_task(self, task_id: str, event: Event | None) -> None:
        """Forget a task, in one commit with what happened."""
        ...


class Plan:
    """A task ready to run: its schemas compiled, its totals counted since the host started."""

    __slots__ = ("input_schema", "last_sample_at", "output_schema", "route", "sampled", "task", "total")

    def __init__(self, task: Task, default_route: tuple[str, ...] = ("local",)) -> None:
        self.task = task
        self.route = task.route or default_route
        self.input_schema = _schema(task.input_schema, "input_schema")
        self.output_schema = _schema(task.output_schema, "output_schema")
        self.total = 0
        self.sampled = 0
        self.last_sample_at: datetime | None = None

    def continues(self, before: Plan) -> Plan:
        """Take over the totals of the plan that this one replaces."""
        self.total, self.sampled, self.last_sample_at = before.total, before.sampled, before.last_sample_at
        return self


class TaskStatus(Struct, frozen=True, kw_only=True):
    """A task as it can be seen from outside."""

    task: Task
    source: Literal["file", "api"]
    overridden: bool = False
    """Whether the API changed a task of the file."""
    problem: str | None = None
    """Why it cannot run now."""


class _Entry(Struct, frozen=True, kw_only=True):
    status: TaskStatus
    plan: Plan | None
    declared: Task | None = None
    """What the file says."""


class TaskTable:
    """The tasks, by id.

    Args:
        default_route: The route of tasks that name none.
        check_program: Makes sure that the runners of a route can run a program; raises an Invalid error otherwise.
        check_route: Makes sure that every runner of a route is known; raises an Invalid error otherwise.
        store: Keeps what the API makes.
        file: The configuration file's name, for messages.
    """

    def __init__(
        self,
        *,
        default_route: tuple[str, ...] = ("local",),
        check_program: Callable[[str, tuple[str, ...]], Awaitable[object]],
        check_route: Callable[[tuple[str, ...]], None],
        store: TaskStore,
        file: str = "the configuration file",
    ) -> None:
        self._default_route = default_route
        self._check_program = check_program
        self._check_route = check_route
        self._store = store
        self._file = file
        self._changing = asyncio.Lock()
        self._entries: Mapping[str, _Entry] = {}

    # --- looking -----------------------------------------------------------------------------------------

    def plan(self, task_id: str) -> Plan:
        """Return what the execution path needs of a task.

        Raises:
            UnknownTask: There is no such task.
            TaskNotRunnable: Its program cannot be used now.
        """
        entry = self._entry(task_id)
        if entry.plan is None:
            raise TaskNotRunnable(task_id, entry.status.problem or "")
        return entry.plan

    def get(self, task_id: str) -> Task:
        """Return a task, or raise UnknownTask."""
        return self._entry(task_id).status.task

    def status(self, task_id: str) -> TaskStatus:
        """Return a task with its source, or raise UnknownTask."""
        return self._entry(task_id).status

    def list(self) -> tuple[TaskStatus, ...]:
        """Return every task by id."""
        return tuple(self._entries[task_id].status for task_id in sorted(self._entries))

    # --- changing ----------------------------------------------------------------------------------------

    async def declare(self, tasks: Iterable[Task]) -> tuple[Problem, ...]:
        """Take the file's tasks in; return what is wrong with any of them, with pointers below ``/tasks``."""
        problems: list[Problem] = []
        for index, task in enumerate(tasks):
            try:
                plan = await self._compile(task)
            except Invalid as error:
                found = error.problems or (Problem(str(error)),)
                problems += [
                    Problem(f"task {task.id!r}: {each.message}", f"/tasks/{index}{each.pointer}") for each in found
                ]
            else:
                self._publish(_Entry(status=TaskStatus(task=task, source="file"), plan=plan, declared=task))
        return tuple(problems)

    async def restore(self, tasks: Iterable[Task]) -> None:
        """Take the stored tasks in; one that cannot run any more is kept, with the reason."""
        for task in tasks:
            before = self._entries.get(task.id)
            declared = before.declared if before else None
            try:
                plan, problem = await self._compile(task), None
            except HotplaneError as error:
                plan, problem = None, str(error)
            self._publish(self._made_by_api(task, plan, declared, problem))

    async def create(self, task: Task) -> TaskStatus:
        """Make a task.

        Raises:
            DuplicateTask: The id is taken.
            InvalidId, InvalidSchema, ProgramNotAllowed, ProgramNotImportable, UnknownType: It cannot be used.
        """
        async with self._changing:
            if task.id in self._entries:
                raise DuplicateTask(task.id)
            return await self._put(task, EventType.TASK_CREATED, None)

    async def update(self, task: Task) -> TaskStatus:
        """Change a task; one of the file is overridden.

        Raises:
            UnknownTask: There is no task with this id.
            InvalidSchema, ProgramNotAllowed, ProgramNotImportable, UnknownType: It cannot be used.
        """
        async with self._changing:
            return await self._put(task, EventType.TASK_UPDATED, self._entry(task.id))

    async def delete(self, task_id: str) -> None:
        """Delete a task.

        Raises:
            UnknownTask: There is no such task.
            DeclaredInFile: The file declares it, so that it would come back.
        """
        async with self._changing:
            if self._entry(task_id).declared is not None:
                raise DeclaredInFile(task_id, self._file)
            await self._forget(task_id, EventType.TASK_DELETED)
            self._entries = {name: entry for name, entry in self._entries.items() if name != task_id}

    async def reset(self, task_id: str) -> TaskStatus:
        """Forget the API's changes to a task of the file."""
        async with self._changing:
            entry = self._entry(task_id)
            if entry.declared is None or not entry.status.overridden:
                return entry.status
            plan = await self._compile(entry.declared)
            await self._forget(task_id, EventType.TASK_UPDATED)
            status = TaskStatus(task=entry.declared, source="file")
            self._publish(_Entry(status=status, plan=plan, declared=entry.declared))
            return status

    async def _put(self, task: Task, happened: EventType, before: _Entry | None) -> TaskStatus:
        plan = await self._compile(task)
        if before is not None and before.plan is not None:
            plan.continues(before.plan)
        event = _event(happened, task)
        await self._store.put_task(task, event)
        entry = self._made_by_api(task, plan, before.declared if before else None, None)
        self._publish(entry)
        return entry.status

    async def _forget(self, task_id: str, happened: EventType) -> None:
        event = _event(happened, self.get(task_id))
        await self._store.delete_task(task_id, event)

    async def _compile(self, task: Task) -> Plan:
        check_id(task.id, "a task's id")
        plan = Plan(task, self._default_route)
        self._check_route(plan.route)
        await self._check_program(task.program, plan.route)
        return plan

    def _made_by_api(self, task: Task, plan: Plan | None, declared: Task | None, problem: str | None) -> _Entry:
        source: Literal["file", "api"] = "api" if declared is None else "file"
        status = TaskStatus(task=task, source=source, overridden=declared is not None, problem=problem)
        return _Entry(status=status, plan=plan, declared=declared)

    def _publish(self, entry: _Entry) -> None:
        self._entries = {**self._entries, entry.status.task.id: entry}

    def _entry(self, task_id: str) -> _Entry:
        try:
            return self._entries[task_id]
        except KeyError:
            raise UnknownTask(task_id, self._entries) from None


def _schema(source: object, where: str) -> Schema:
    try:
        return Schema(source)  # pyright: ignore[reportArgumentType] - checked by Schema itself
    except Invalid as error:
        error.problems = tuple(Problem(str(error), f"/{where}{each.pointer}") for each in error.problems)
        raise


def _event(happened: EventType, task: Task) -> Event:
    return Event(
        id=new_id(),
        type=happened,
        time=now(),
        task_id=task.id,
        program=task.program,
        payload={"route": list(task.route)},
    )
