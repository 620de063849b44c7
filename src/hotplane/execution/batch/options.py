"""Checks what a batch is asked to be. Imports `records` of this room, `identity`, `records` and `errors`."""

from __future__ import annotations

from collections.abc import Iterator

from hotplane.errors import Invalid, Problem
from hotplane.execution.batch.records import BatchOptions
from hotplane.identity import check_id
from hotplane.records import Task

__all__ = ["MAX_CONCURRENCY", "MAX_PRIORITY", "check_options"]

MAX_CONCURRENCY = 1_000
MAX_PRIORITY = 10


def check_options(options: BatchOptions, task: Task) -> None:
    """Make sure that a batch can run as it is asked to.

    Raises:
        InvalidId: Its id cannot be one.
        Invalid: An option is out of its range; `problems` has all of them, with pointers.
    """
    if options.id is not None:
        check_id(options.id, "a batch's id")
    problems = tuple(_problems(options, task))
    if problems:
        error = Invalid("; ".join(problem.message for problem in problems))
        error.problems = problems
        raise error


def _problems(options: BatchOptions, task: Task) -> Iterator[Problem]:
    if not 1 <= options.max_concurrency <= MAX_CONCURRENCY:
        limits = f"1 to {MAX_CONCURRENCY}"
        yield Problem(f"max_concurrency is {limits}, not {options.max_concurrency}", "/max_concurrency")
    if not -MAX_PRIORITY <= options.priority <= MAX_PRIORITY:
        limits = f"-{MAX_PRIORITY} to {MAX_PRIORITY}"
        yield Problem(f"priority is {limits}, not {options.priority}", "/priority")
    timeout = options.item_timeout_ms
    if timeout is not None and not 1 <= timeout <= task.timeout_ms:
        limits = f"1 to {task.timeout_ms}, the task's own"
        yield Problem(f"item_timeout_ms is {limits}, not {timeout}", "/item_timeout_ms")
