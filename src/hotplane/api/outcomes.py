"""What came of a request whose key somebody left: a run, a batch, or nothing that could be asked for.

Imports only lower rooms, `answers`, `bodies`, `keyed`, `problems` and `routes.executions`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from hotplane.api.answers import task_view
from hotplane.api.bodies import Body
from hotplane.api.keyed import Answer, HashedBody
from hotplane.api.problems import MEDIA_TYPE, document_of
from hotplane.api.refusals import Refused
from hotplane.api.routes.executions import EXECUTE_PATH, ExecuteBody
from hotplane.app import Hotplane
from hotplane.errors import (
    HotplaneError,
    InputRejected,
    NotFound,
    NotJson,
    Problem,
    StorageError,
    StorageSlow,
    StorageUnavailable,
    UnknownBatch,
    UnknownExecution,
)
from hotplane.execution.gating import OUTPUT_REJECTED, rejection
from hotplane.execution.telling import events_of
from hotplane.identity import check_id, new_id
from hotplane.records import Execution, ExecutionFailure, ExecutionStatus, Task, now
from hotplane.storage import KeyRecord
from hotplane.values import checked_copy

__all__ = ["Outcome", "outcome_of"]

BATCH_PATHS = {"/api/batch/execute": ("batch", 202), "/api/stream/execute": ("stream", 200)}
"""What makes batches, of which kind, and the status of the answer that shows one."""
TASKS_PATH = "/api/tasks"
_TASK = Body(Task)
_LEFT = ExecutionFailure(
    type="interrupted",
    message="The host ended while it ran; its task is not idempotent, so that it was not run again.",
)
_PROBLEM = ((b"content-type", MEDIA_TYPE.encode()), (b"cache-control", b"no-store"))
_JSON = (b"content-type", b"application/json")
_BEGIN, _END = EXECUTE_PATH.split("{task_id}")
_MAY_HAVE_RUN = (StorageError, StorageSlow, StorageUnavailable)

_encode = msgspec.json.Encoder().encode


class Outcome:
    """One kind of request; as it stands here, a change of the host.

    Done twice a change does no harm, or the second one is refused as a conflict.
    """

    made = False
    """Whether what it makes has an id, chosen beforehand, under which it is found again."""
    streamed = False
    """Whether its body may be larger than `server.max_body_bytes`."""
    seconds = 300.0
    """How long it may take."""

    def begin(self, body: HashedBody) -> tuple[KeyRecord, bool]:
        """Return what is stored before it runs, and whether the id in it is not a new one."""
        return KeyRecord(outcome_id=new_id(), fingerprint=body.fingerprint), False

    def may_have_run(self, error: BaseException) -> bool:
        """Tell whether a request that failed may have had an effect that must not be repeated unseen."""
        return not isinstance(error, HotplaneError)

    async def found(self, record: KeyRecord) -> Answer | None:
        """Return what it made, as it is now; None where there is nothing."""
        del record
        return None

    async def left(self, record: KeyRecord, body: HashedBody) -> Answer | None:
        """Return the answer for a request that somebody left; None to run it, for the first or another time."""
        del body
        return await self.found(record)

    def missing(self, record: KeyRecord) -> HotplaneError:
        """Return what is wrong when it was made and is gone."""
        del record
        return NotFound("What the first request with this key answered is not kept any more. Use another key.")


def outcome_of(host: Hotplane, path: str) -> Outcome:
    """Return the kind of the requests to a path."""
    if path in BATCH_PATHS:
        return _Batch(host, *BATCH_PATHS[path])
    task_id = path[len(_BEGIN) : -len(_END)]
    if path.startswith(_BEGIN) and path.endswith(_END) and task_id and "/" not in task_id:
        return _Run(host, task_id, path)
    return _NewTask(host) if path == TASKS_PATH else Outcome()


class _NewTask(Outcome):
    """A task: when it is there, just as it was asked for, whoever left the request had made it."""

    def __init__(self, host: Hotplane) -> None:
        self._host = host

    async def left(self, record: KeyRecord, body: HashedBody) -> Answer | None:
        del record  # a task has the id that the request gives it
        try:
            asked = _TASK.decode(body.content)
            status = self._host.tasks.status(asked.id)
        except HotplaneError:  # the route says what is wrong with it, or makes it
            return None
        if status.task != asked:
            return None
        place = (b"location", f"{TASKS_PATH}/{quote(asked.id, safe='')}".encode())
        return Answer(status=201, headers=(_JSON, place), body=_encode(task_view(status)))


class _Batch(Outcome):
    """A batch or stream: from its first moment on it is in the ledger. One that was refused is cancelled there."""

    made = True
    streamed = True
    seconds = 0.0

    def __init__(self, host: Hotplane, folder: str, status: int) -> None:
        self._host = host
        self._folder = folder
        self._status = status

    async def found(self, record: KeyRecord) -> Answer | None:
        try:
            batch = await self._host.batches.get(record.outcome_id)
        except UnknownBatch:
            return None
        place = (b"location", f"/api/{self._folder}/{batch.id}".encode())
        return Answer(status=self._status, headers=(_JSON, place), body=_encode(batch))

    def missing(self, record: KeyRecord) -> HotplaneError:
        return UnknownBatch(record.outcome_id)


class _OwnId(Struct):
    id: str | None = None


class _Run(Outcome):
    """An execution: its record has the id."""

    made = True
    _decode_id = msgspec.json.Decoder(_OwnId).decode

    def __init__(self, host: Hotplane, task_id: str, path: str) -> None:
        self._host = host
        self._task_id = task_id
        self._path = path
        self._decode = Body(ExecuteBody, host.config.server.max_depth).decode
        try:
            self.seconds = host.tasks.get(task_id).timeout_ms / 1e3
        except HotplaneError:
            self.seconds = 0.0  # the route will refuse it

    def begin(self, body: HashedBody) -> tuple[KeyRecord, bool]:
        own = self._own_id(body)
        return KeyRecord(outcome_id=own or new_id(), fingerprint=body.fingerprint), own is not None

    def may_have_run(self, error: BaseException) -> bool:
        return isinstance(error, _MAY_HAVE_RUN) or not isinstance(error, HotplaneError)

    async def found(self, record: KeyRecord) -> Answer | None:
        execution = await self._host.store.idempotency.execution_of(record)
        return None if execution is None else self._show(execution)

    async def left(self, record: KeyRecord, body: HashedBody) -> Answer | None:
        """Return the record; where there is none and it must not run twice, make one that says it was interrupted."""
        answer = await self.found(record)
        if answer is not None:
            return answer
        try:
            task = self._host.tasks.get(self._task_id)
            asked = self._decode(body.content)
            given = checked_copy(asked.input)
        except (NotFound, Refused, NotJson):  # it could not run then either, and the route says why
            return None
        if task.idempotent:
            return None
        interrupted = Execution(
            id=record.outcome_id,
            task_id=task.id,
            program=task.program,
            status=ExecutionStatus.INTERRUPTED,
            input=given,
            expected=asked.expected,
            started_at=now(),
            minted=asked.id is None,
            error=_LEFT,
        )
        return self._show(await self._host.store.record(interrupted, events_of(interrupted)))

    def missing(self, record: KeyRecord) -> HotplaneError:
        return UnknownExecution(record.outcome_id)

    def _own_id(self, body: HashedBody) -> str | None:
        try:
            own: str | None = self._decode_id(body.content).id
            return None if own is None else check_id(own)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, HotplaneError):
            return None  # the route refuses it

    def _show(self, execution: Execution) -> Answer:
        """Return what the route answered, or would have."""
        if execution.status is not ExecutionStatus.REJECTED:
            return Answer(status=200, headers=(_JSON,), body=_encode(execution))
        if execution.error is not None and execution.error.type == OUTPUT_REJECTED:
            document = document_of(rejection(execution), self._path, below="/output")
        else:
            document = document_of(self._input_rejected(execution), self._path, below="/input")
        return Answer(status=document.status, headers=_PROBLEM, body=_encode(document))

    def _input_rejected(self, execution: Execution) -> InputRejected:
        problems: Any = ()
        try:
            problems = self._host.tasks.plan(self._task_id).input_schema.problems(execution.input)
        except HotplaneError:
            problems = ()
        if not problems and execution.error is not None:
            problems = (Problem(execution.error.message),)
        return InputRejected(self._task_id, problems, execution.id)
