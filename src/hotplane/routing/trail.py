"""The attempts of one execution, and what they come to. Imports only `errors`, `records`, `values` and this room."""

from __future__ import annotations

from msgspec import Struct

from hotplane.errors import HotplaneError, NoRunnerAvailable, NotJson, Unavailable
from hotplane.records import Attempt, ExecutionFailure, ExecutionStatus, Task
from hotplane.routing.permit import Rejection
from hotplane.routing.verdicts import TIMEOUT, Executed, Verdict
from hotplane.values import Json

__all__ = ["PATIENCE_SECONDS", "Outcome", "Trail", "exceeded"]

PATIENCE_SECONDS = 0.05
"""A runner keeps its time itself; this much later it is cut off."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What running a task came to."""

    status: ExecutionStatus
    output: Json = None
    error: ExecutionFailure | None = None
    attempts: tuple[Attempt, ...] = ()


def exceeded(milliseconds: int) -> ExecutionFailure:
    """Return the failure of an execution whose deadline passed."""
    return ExecutionFailure(type="deadline-exceeded", message=f"The deadline of {milliseconds} ms passed.")


class Trail:
    """Notes the attempts of one execution as they end.

    Args:
        timeout_ms: The deadline of this execution, where it is not its task's.
    """

    __slots__ = ("_last", "_refusal", "_timeout_ms", "attempts", "retry_after")

    def __init__(self, timeout_ms: int | None = None) -> None:
        self._timeout_ms = timeout_ms
        self.attempts: list[Attempt] = []
        self.retry_after: float | None = None
        """The least that any runner asked to wait, in seconds."""
        self._last: Verdict | None = None
        self._refusal: BaseException | None = None

    @property
    def may_have_run(self) -> bool:
        """Whether an attempt failed after which the program may have run."""
        return self._last is not None

    def success(self, runner: str, output: Json, seconds: float) -> Outcome:
        """Note an attempt that worked."""
        self.attempts.append(Attempt(runner=runner, outcome="success", latency_ms=seconds * 1e3))
        return Outcome(status=ExecutionStatus.SUCCESS, output=output, attempts=tuple(self.attempts))

    def spoilt(self, runner: str, error: NotJson, seconds: float) -> Outcome:
        """Note an attempt whose output is not JSON: the program ran, so nobody else may try."""
        failure = ExecutionFailure(type=error.code, message=str(error))
        self._note(runner, error.code, seconds, failure.message)
        return self.ended(ExecutionStatus.ERROR, failure)

    def fail(self, runner: str, verdict: Verdict, error: BaseException, seconds: float) -> None:
        """Note an attempt that failed."""
        self._note(runner, verdict.outcome, seconds, verdict.failure.message)
        self._wait(verdict.retry_after)
        if verdict.executed is Executed.MAYBE:
            self._last = verdict
        else:
            self._refusal = error

    def reject(self, runner: str, rejection: Rejection) -> None:
        """Note that a breaker let nothing through."""
        self._note(runner, "rejected", 0.0, str(rejection.error()))
        self._wait(rejection.retry_after)

    def cancel(self, runner: str, seconds: float) -> None:
        """Note that the execution was cancelled during an attempt."""
        self._note(runner, "cancelled", seconds, "")

    def ended(self, status: ExecutionStatus, failure: ExecutionFailure) -> Outcome:
        """Return the outcome of an execution that failed."""
        return Outcome(status=status, error=failure, attempts=tuple(self.attempts))

    def exceeded(self, task: Task) -> Outcome:
        """Return the outcome of an execution that used up its deadline."""
        return self.ended(ExecutionStatus.TIMEOUT, exceeded(self._timeout_ms or task.timeout_ms))

    def last_failure(self, task: Task, remaining: float) -> Outcome:
        """Return the outcome that the last failure of an attempt which may have run makes.

        Args:
            task: What ran.
            remaining: Seconds of the deadline that are left.
        """
        assert self._last is not None  # noqa: S101 - asked only when `may_have_run`
        if self._last.outcome != TIMEOUT:
            return self.ended(ExecutionStatus.ERROR, self._last.failure)
        if remaining < PATIENCE_SECONDS:
            return self.exceeded(task)
        overran = [tried.runner for tried in self.attempts if tried.outcome == TIMEOUT]
        message = f"The runner {overran[-1]!r} did not answer within the time that it had."
        return self.ended(ExecutionStatus.TIMEOUT, ExecutionFailure(type="attempt-timeout", message=message))

    def nobody(self, task: Task, *, alone: bool) -> Outcome:
        """Say that nothing was executed.

        Args:
            task: What should have run.
            alone: Whether the route has one runner only, whose own error then says more.

        Raises:
            NoRunnerAvailable: Always, except where the only runner's own error is raised or returned.
        """
        error = self._refusal
        if alone and isinstance(error, Unavailable):
            raise error
        if alone and isinstance(error, HotplaneError):
            return self.ended(ExecutionStatus.ERROR, ExecutionFailure(type=error.code, message=str(error)))
        reasons = [(tried.runner, tried.message) for tried in self.attempts]
        raise NoRunnerAvailable(task.id, reasons, self.retry_after)

    def _note(self, runner: str, outcome: str, seconds: float, message: str) -> None:
        self.attempts.append(
            Attempt(runner=runner, outcome=outcome, latency_ms=max(0.0, seconds) * 1e3, message=message)
        )

    def _wait(self, seconds: float | None) -> None:
        if seconds is not None and (self.retry_after is None or seconds < self.retry_after):
            self.retry_after = seconds
