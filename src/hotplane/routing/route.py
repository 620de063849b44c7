"""A route: the ordered runners of a task, each behind its breaker, tried until one has an answer.

Imports only `errors`, `plugins`, `records`, `registry`, `values` and this room.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

from hotplane.errors import NotJson
from hotplane.records import ExecutionStatus, Task
from hotplane.registry import Failure
from hotplane.routing.breaker import Breaker
from hotplane.routing.permit import Permit, Rejection
from hotplane.routing.trail import Outcome, Trail
from hotplane.routing.verdicts import Blame, Executed, Verdict, judge
from hotplane.values import Json, checked_copy

__all__ = ["Route", "RouteLeg", "RouteWatch", "Run"]

Run: TypeAlias = Callable[[Task, Json, float], Awaitable["Json | Plain | Failure"]]
"""Lets a runner run a task for at most the given seconds, and keeps that limit itself; raises or returns a failure."""


class Plain(Struct, frozen=True):
    """The output of a runner that the host need not check once more: fresh, and in plain JSON types."""

    value: Json


class RouteLeg(Struct, frozen=True):
    """One runner of a route."""

    runner: str
    """The runner's id."""
    breaker: Breaker
    run: Run


class RouteWatch(Protocol):
    """Hears where executions end up that the first runner of their route did not take."""

    def taken(self, primary: str, runner: str) -> None:
        """`runner`, which stands behind `primary`, had the answer."""
        ...

    def nobody(self, primary: str) -> None:
        """No runner of the route could take the execution."""
        ...


class Route:
    """Runs a task on the first runner that can take it.

    The next runner is asked when a breaker rejects, when an attempt was certainly not executed, and when an attempt
    failed although it may have run and the task is idempotent. A program's own error is an answer.

    Args:
        legs: The runners, in order; at least one.
        clock: Seconds that pass steadily.
        watch: Told of executions that the first runner did not take.
    """

    def __init__(
        self,
        legs: Sequence[RouteLeg],
        *,
        clock: Callable[[], float] = perf_counter,
        watch: RouteWatch | None = None,
    ) -> None:
        self.legs = tuple(legs)
        self._clock = clock
        self._watch = watch
        self._primary = self.legs[0].runner

    async def run(self, task: Task, input: Json, deadline: float, trail: Trail | None = None) -> Outcome:
        """Run `task` and say what came of it.

        Args:
            task: What to run.
            input: Its checked input.
            deadline: Seconds that are left for all attempts together.
            trail: Where attempts are noted as they end. Pass one in to have them also when this is cancelled or raises.

        Raises:
            NoRunnerAvailable: Nothing was executed, for reasons that may pass.
            Unavailable: The same, from the only runner of a route.
        """
        trail = Trail() if trail is None else trail
        clock = self._clock
        ends_at = clock() + deadline
        left = len(self.legs)
        for leg in self.legs:
            remaining = ends_at - clock()
            if remaining <= 0:
                break
            permit = leg.breaker.admit()
            if isinstance(permit, Rejection):
                trail.reject(leg.runner, permit)
            else:
                share = remaining / left if task.idempotent else remaining
                done = await self._attempt(leg, permit, trail, task, input, seconds=share)
                if isinstance(done, Outcome):
                    return self._answered(leg, done)
                if done.executed is Executed.MAYBE and not task.idempotent:
                    break
            left -= 1
        return self._give_up(task, trail, ends_at - clock(), everybody_tried=left == 0)

    async def _attempt(
        self, leg: RouteLeg, permit: Permit, trail: Trail, task: Task, input: Json, *, seconds: float
    ) -> Outcome | Verdict:
        """Let one runner try; a verdict when it had no answer."""
        started = self._clock()
        try:
            result: Any = await leg.run(task, input, seconds)
        except Exception as error:
            result = Failure(leg.runner, error)
        except BaseException:
            permit.cancelled()
            trail.cancel(leg.runner, self._clock() - started)
            raise
        took = self._clock() - started
        if isinstance(result, Failure):
            verdict = judge(result.error)
            _settle(permit, verdict.blame, took)
            trail.fail(leg.runner, verdict, result.error, took)
            return trail.ended(ExecutionStatus.ERROR, verdict.failure) if verdict.executed is Executed.YES else verdict
        permit.success(took)
        if type(result) is Plain:
            return trail.success(leg.runner, result.value, took)
        try:
            output = checked_copy(result)
        except NotJson as error:
            return trail.spoilt(leg.runner, error, took)
        return trail.success(leg.runner, output, took)

    def _answered(self, leg: RouteLeg, outcome: Outcome) -> Outcome:
        if leg.runner != self._primary and self._watch is not None:
            self._watch.taken(self._primary, leg.runner)
        return outcome

    def _give_up(self, task: Task, trail: Trail, remaining: float, *, everybody_tried: bool) -> Outcome:
        if everybody_tried and self._watch is not None:
            self._watch.nobody(self._primary)
        if remaining <= 0:
            return trail.exceeded(task)
        if trail.may_have_run:
            return trail.last_failure(task, remaining)
        return trail.nobody(task, alone=len(self.legs) == 1)


def _settle(permit: Permit, blame: Blame, seconds: float) -> None:
    if blame is Blame.FAILURE:
        permit.failure(seconds)
    elif blame is Blame.SUCCESS:
        permit.success(seconds)
    else:
        permit.cancelled()
