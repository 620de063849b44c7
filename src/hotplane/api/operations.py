"""Operations that take time: each runs by itself, and can be asked for by its id.

Imports only `errors`, `identity`, `records`, `values`, `log` and `problems`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from hotplane.api.problems import ProblemDocument, document_of, unexpected
from hotplane.errors import HotplaneError, NotFound, Overloaded, ShuttingDown
from hotplane.identity import new_id
from hotplane.records import now
from hotplane.values import Json

__all__ = ["Operation", "OperationState", "Operations", "Running", "UnknownOperation"]

_KEPT_SECONDS = 3600.0
_LAST_SECONDS = 0.2


class UnknownOperation(NotFound):
    """There is no operation {operation_id!r}: ended ones are kept for an hour, as long as there are not too many."""

    code = "unknown-operation"

    def __init__(self, operation_id: str) -> None:
        self.operation_id = operation_id[:100]
        super().__init__()


class OperationState(StrEnum):
    """Where an operation stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Operation(Struct, frozen=True, kw_only=True):
    """Something that was asked for, and what came of it."""

    id: str
    kind: str
    """What is done, such as ``start``."""
    plugin_id: str | None
    """Whom it is done to; null for several, or where it is not known yet."""
    state: OperationState
    started_at: datetime
    ended_at: datetime | None = None
    result: Json = None
    """What the direct answer would have been."""
    problem: ProblemDocument | None = None
    """Why it failed."""


class Running:
    """One operation, and the task that does it."""

    def __init__(self, operation: Operation, instance: str, work: Coroutine[Any, Any, object]) -> None:
        self.operation = operation
        self.error: HotplaneError | None = None
        self.value: object = None
        self._instance = instance
        self._work = work
        self.task = asyncio.create_task(self._run(), name=f"hotplane-operation-{operation.kind}")

    def end(self) -> Operation:
        """Return the operation as it ended, also when it was broken off before it began."""
        self._work.close()
        if self.operation.state is OperationState.RUNNING:
            self._break_off()
        return self.operation

    async def _run(self) -> None:
        try:
            self.value = await self._work
        except HotplaneError as error:
            self.error = error
            self._end(problem=document_of(error, self._instance))
        except asyncio.CancelledError:
            self._break_off()
        except Exception as error:
            self._end(problem=unexpected(error, self.operation.kind, self._instance))
        else:
            self._end(result=msgspec.to_builtins(self.value))

    def _break_off(self) -> None:
        self.error = ShuttingDown()
        self._end(problem=document_of(self.error, self._instance))

    def _end(self, *, result: Json = None, problem: ProblemDocument | None = None) -> None:
        state = OperationState.SUCCEEDED if problem is None else OperationState.FAILED
        self.operation = replace(self.operation, state=state, ended_at=now(), result=result, problem=problem)


class Operations:
    """The operations of a server: the running ones, and the latest that ended.

    Args:
        limit: Running ones at once, and ended ones that are kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running: dict[str, Running] = {}
        self._ended: OrderedDict[str, Operation] = OrderedDict()

    def begin(self, kind: str, work: Coroutine[Any, Any, object], *, plugin_id: str | None, instance: str) -> Running:
        """Begin an operation; it goes on whether or not its client waits.

        Args:
            kind: What is done.
            work: What does it; its result becomes the operation's.
            plugin_id: Whom it is done to.
            instance: The path that was asked for.

        Raises:
            Overloaded: Too many are running.
        """
        if len(self._running) >= self._limit:
            work.close()
            raise Overloaded("The table of operations", self._limit, "server.max_operations")
        operation = Operation(
            id=new_id(), kind=kind, plugin_id=plugin_id, state=OperationState.RUNNING, started_at=now()
        )
        running = self._running[operation.id] = Running(operation, instance, work)
        running.task.add_done_callback(lambda _: self._keep(operation.id))
        return running

    def get(self, operation_id: str) -> Operation:
        """Return an operation as it is now.

        Raises:
            UnknownOperation: There is none, or not any more.
        """
        self._forget_old()
        running = self._running.get(operation_id)
        operation = running.operation if running is not None else self._ended.get(operation_id)
        if operation is None:
            raise UnknownOperation(operation_id)
        return operation

    async def close(self) -> None:
        """Break off what is running: the server stops. What does not let itself be broken off is left alone."""
        tasks = [each.task for each in self._running.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_SECONDS)

    def _keep(self, operation_id: str) -> None:
        self._ended[operation_id] = self._running.pop(operation_id).end()
        while len(self._ended) > self._limit:
            self._ended.popitem(last=False)

    def _forget_old(self) -> None:
        at = now()
        for operation_id, operation in list(self._ended.items()):
            if operation.ended_at is None or (at - operation.ended_at).total_seconds() < _KEPT_SECONDS:
                return
            del self._ended[operation_id]
