"""One execution from its input to its stored record.

Imports only `plugins`, `registry`, `routing`, `records`, `values`, `identity`, `errors` and its own room; the store
comes as an argument.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from time import perf_counter
from typing import Any, NoReturn

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from hotplane.errors import (
    HotplaneError,
    InputRejected,
    Overloaded,
    Problem,
    ShuttingDown,
    StorageSlow,
)
from hotplane.execution.gating import gate, refuse, rejection
from hotplane.execution.recording import ExecutionStore, NotStored
from hotplane.execution.sampling import decide
from hotplane.execution.settings import ExecutionSettings, ValidationSettings
from hotplane.execution.tasks import Plan
from hotplane.execution.telling import events_of
from hotplane.execution.thresholds import ThresholdWatch
from hotplane.execution.validation import record
from hotplane.identity import check_id, is_uuid7, new_id
from hotplane.limits import left_of
from hotplane.plugins import CURRENT_CALL, Call, Sampler, Validator
from hotplane.records import Execution, ExecutionFailure, ExecutionStatus, now
from hotplane.registry import Registry
from hotplane.routing import Routes, Trail
from hotplane.storage import Place
from hotplane.values import Json, checked_copy

__all__ = ["ExecutionStore", "NotStored", "Pipeline"]

_MIN_JUDGEMENT_SECONDS = 0.02
_COMMIT_SHARE = 0.5
"""This part of the margin after the deadline is kept for the commit."""


class _Call:
    """What belongs to one call: since when, how long, whether to be sampled, and which item of a batch it is."""

    __slots__ = ("admitted", "limit", "place", "sample", "task")

    def __init__(self, plan: Plan, timeout_ms: int | None, place: Place | None, sample: bool) -> None:
        self.admitted = perf_counter()
        self.task = plan.task
        self.limit = min(timeout_ms or plan.task.timeout_ms, plan.task.timeout_ms) / 1e3
        self.place = place
        self.sample = sample

    @property
    def elapsed(self) -> float:
        """Seconds since it was admitted."""
        return perf_counter() - self.admitted


class Pipeline:
    """Runs tasks: input, runner, samplers, validators, one commit, then the answer.

    Args:
        registry: The plugins.
        routes: Who runs what.
        store: The records.
        settings: Limits.
        validation: How verdicts become one; the defaults when None.
        thresholds: Tells which events follow from what a task has to keep to.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        routes: Routes,
        store: ExecutionStore,
        settings: ExecutionSettings,
        validation: ValidationSettings | None = None,
        thresholds: ThresholdWatch | None = None,
    ) -> None:
        self._registry = registry
        self._routes = routes
        self._store = store
        self._settings = settings
        self._margin = settings.answer_margin_ms / 1e3
        self._validation = validation or ValidationSettings()
        self._thresholds = thresholds or ThresholdWatch()
        self._running: set[asyncio.Task[Any]] = set()
        self._items = 0
        self._closing = False
        self._interrupting = False
        self.counts: Counter[str] = Counter()
        """Executions by status since the host started."""

    @property
    def in_flight(self) -> int:
        """Executions that were admitted and are not answered."""
        return len(self._running)

    @property
    def calls(self) -> int:
        """Those of them that are no items of a batch: somebody waits for the answer."""
        return len(self._running) - self._items

    async def execute(
        self,
        plan: Plan,
        input: Json,
        *,
        expected: Json | UnsetType = UNSET,
        id: str | None = None,
        timeout_ms: int | None = None,
        place: Place | None = None,
        sample: bool = False,
        minted: bool = False,
    ) -> Execution:
        """Execute a task once and return its stored record.

        Args:
            plan: The task.
            input: Its input.
            expected: What the output should be, where known.
            id: The caller's id for the execution; minted when None.
            timeout_ms: A deadline that is shorter than the task's.
            place: The item of a batch that this is; its result is committed with the record. Batches limit
                themselves, so that items are admitted beside the executions of others.
            sample: Whether it is sampled whatever the samplers say.
            minted: Whether `id` was minted for this call.

        Raises:
            InputRejected: The input does not fit the schema; recorded, with the record's id.
            OutputRejected: A validator that rejects refused the output; recorded, output and all.
            NotJson, InvalidId: The request cannot be recorded.
            Unavailable: Nothing ran: overloaded, shutting down, or no runner could take it.
            StorageSlow, StorageError, StorageUnavailable: It ran, but its record is not (yet) stored.
            NotStored: The same, of the item of a batch.
        """
        self._admit(place)
        call = _Call(plan, timeout_ms, place, sample)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine always runs in a task
        self._running.add(task)
        try:
            minted = minted or id is None or await self._is_minted(id)
            blank = self._blank(plan, input, expected, id, minted=minted)
            problems = plan.input_schema.problems(blank.input)
            if problems:
                await self._reject(plan, blank, problems, call)
            done = await self._run(plan, blank, call)
            stored = await self._commit(await self._judge(plan, done, call), call)
            if stored.status is ExecutionStatus.REJECTED:
                raise rejection(stored)
            return stored
        finally:
            self._running.discard(task)
            self._items -= place is not None

    async def close(self, grace: float) -> None:
        """Admit nothing more; wait for what runs, then interrupt it and have it recorded.

        Args:
            grace: Seconds to wait.
        """
        self._closing = True
        running = self._running - {asyncio.current_task()}
        if running:
            await asyncio.wait(running, timeout=grace)
        self._interrupting = True
        left = self._running - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await left_of(left, 1.0)

    def _admit(self, place: Place | None) -> None:
        if self._closing:
            raise ShuttingDown
        if place is not None:
            self._items += 1
        elif self.calls >= self._settings.max_in_flight:
            raise Overloaded("The host", self._settings.max_in_flight, "execution.max_in_flight")

    async def _is_minted(self, id: str) -> bool:
        check_id(id, "an execution's id")
        return is_uuid7(id) and await self._store.is_minted(id)

    def _blank(self, plan: Plan, input: Json, expected: Json | UnsetType, id: str | None, *, minted: bool) -> Execution:
        """Return the record as it is before anything ran."""
        return Execution(
            id=id or new_id(),
            task_id=plan.task.id,
            program=plan.task.program,
            status=ExecutionStatus.CANCELLED,
            input=checked_copy(input),
            expected=expected if expected is UNSET else checked_copy(expected),
            started_at=now(),
            minted=minted,
        )

    async def _reject(self, plan: Plan, blank: Execution, problems: tuple[Problem, ...], call: _Call) -> NoReturn:
        """Record an input that does not fit, and say so."""
        message = "; ".join(str(problem) for problem in problems)
        failure = ExecutionFailure(type="input-rejected", message=message)
        rejected = replace(blank, status=ExecutionStatus.REJECTED, error=failure)
        await self._commit(rejected, call)
        raise InputRejected(plan.task.id, problems, blank.id)

    async def _run(self, plan: Plan, blank: Execution, call: _Call) -> Execution:
        deadline = call.limit - call.elapsed
        trail = Trail(round(call.limit * 1e3))
        token = CURRENT_CALL.set(Call(execution_id=blank.id))
        try:
            outcome = await self._routes.route(plan.route).run(plan.task, blank.input, deadline, trail)
        except asyncio.CancelledError:
            return self._cut_short(replace(blank, attempts=tuple(trail.attempts)), call)
        finally:
            CURRENT_CALL.reset(token)
        return replace(
            blank,
            status=outcome.status,
            output=outcome.output,
            error=outcome.error,
            attempts=outcome.attempts,
            latency_ms=call.elapsed * 1e3,
        )

    def _cut_short(self, blank: Execution, call: _Call) -> Execution:
        """Return the record of a run that was cancelled, or raise on where nobody waits for it."""
        status = ExecutionStatus.INTERRUPTED if self._interrupting else ExecutionStatus.CANCELLED
        why = "The host was shut down" if self._interrupting else "The caller went away"
        failure = ExecutionFailure(type=status.value, message=f"{why} before it ended.")
        cut = replace(blank, status=status, error=failure, latency_ms=call.elapsed * 1e3)
        return self._survive(cut, call)

    def _survive(self, execution: Execution, call: _Call) -> Execution:
        """Called where CancelledError was caught: go on when the host cut it short, else record and raise on."""
        if not self._interrupting:
            self.counts[execution.status] += 1
            self._store.record_soon(execution, events_of(execution), place=call.place)
            raise asyncio.CancelledError
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - nothing but a task is cancelled
        task.uncancel()
        return execution

    async def _judge(self, plan: Plan, done: Execution, call: _Call) -> Execution:
        if done.status is ExecutionStatus.INTERRUPTED:
            return done
        if self._registry.chains[Validator].gates:
            done = await self._gate(plan, done, call)
        try:
            with self._registry.lease(Sampler) as samplers:
                decision = await decide(samplers, done, plan, self._judgement_limit(call), forced=call.sample)
            done = replace(done, sampling=decision)
            if not decision.sampled:
                return done
            with self._registry.lease(Validator) as validators:
                return await record(validators, done, plan, self._judgement_limit(call), self._validation)
        except asyncio.CancelledError:
            return self._survive(done, call)

    async def _gate(self, plan: Plan, done: Execution, call: _Call) -> Execution:
        try:
            with self._registry.lease(Validator) as validators:
                return await gate(validators, done, plan, self._judgement_limit(call), self._validation)
        except asyncio.CancelledError:
            if done.status is ExecutionStatus.SUCCESS:  # an output that was to be judged does not get out unjudged
                done = refuse(done, "It was cut short before its output was judged.")
            return self._survive(done, call)

    def _judgement_limit(self, call: _Call) -> float:
        return max(self._left(call) - self._margin * _COMMIT_SHARE, _MIN_JUDGEMENT_SECONDS)

    async def _commit(self, execution: Execution, call: _Call) -> Execution:
        events = events_of(execution) + self._thresholds.observe(call.task, execution)
        self.counts[execution.status] += 1
        # Nobody waits for the item of a batch: it waits until it is known whether its record is stored.
        left = None if call.place else max(self._left(call), self._margin * _COMMIT_SHARE)
        try:
            stored = await self._store.record(execution, events, limit=left, place=call.place)
        except TimeoutError:
            raise StorageSlow(execution.id) from None
        except HotplaneError as error:
            if call.place is None:
                raise
            raise NotStored(execution, events, error) from error
        self._thresholds.stored(events)
        return stored

    def _left(self, call: _Call) -> float:
        """Return the seconds until the answer is due."""
        return call.limit + self._margin - call.elapsed
