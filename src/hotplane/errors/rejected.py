"""What is sent wrongly, or was not good enough to be handed out: values, schemas, batches. HTTP's 422.

Imports only `errors.base` and `errors.invalid`.
"""

from collections.abc import Sequence

from hotplane.errors.base import Problem
from hotplane.errors.invalid import Invalid

__all__ = [
    "BatchTooLarge",
    "EmptyBatch",
    "InputRejected",
    "InvalidCursor",
    "InvalidSchema",
    "NotJson",
    "OutputRejected",
]


class InvalidSchema(Invalid):
    """This is not a usable JSON Schema: {reason} (at {pointer}). Remote references are never fetched; put shared parts under `$defs`."""

    code = "invalid-schema"

    def __init__(self, reason: str, pointer: str = "") -> None:
        self.reason = reason
        self.pointer = pointer or "/"
        self.problems = (Problem(reason, pointer),)
        super().__init__()


class InvalidCursor(Invalid):
    """The cursor {cursor!r} is not one that was given out here. Leave it away to begin with the first row."""

    code = "invalid-cursor"

    def __init__(self, cursor: str) -> None:
        self.cursor = cursor[:80]
        super().__init__()


class NotJson(Invalid):
    """This is not a JSON value: {reason} (at {pointer})."""

    code = "not-json"

    def __init__(self, reason: str, pointer: str = "") -> None:
        self.reason = reason
        self.pointer = pointer or "/"
        self.problems = (Problem(reason, pointer),)
        super().__init__()


class InputRejected(Invalid):
    """The input does not fit the input schema of the task {task_id!r}."""

    code = "input-rejected"

    def __init__(self, task_id: str, problems: Sequence[Problem], execution_id: str | None = None) -> None:
        self.task_id = task_id
        self.problems = tuple(problems)
        self.execution_id = execution_id
        super().__init__()


class BatchTooLarge(Invalid):
    """A batch may have {limit} {what}. Send several smaller ones, or raise the limit `{setting}`."""

    code = "batch-too-large"

    def __init__(self, limit: int, what: str, setting: str) -> None:
        self.limit = limit
        self.what = what
        self.setting = setting
        super().__init__()


class EmptyBatch(Invalid):
    """The batch has no items. Send at least one."""

    code = "empty-batch"


class OutputRejected(Invalid):
    """The output of the execution {execution_id!r} of the task {task_id!r} was rejected ({reasons}). The record has it; the validators' `on_fail` decides this."""

    code = "output-rejected"

    def __init__(
        self,
        task_id: str,
        problems: Sequence[Problem],
        execution_id: str,
        *,
        sampled: bool = False,
        valid: bool | None = None,
    ) -> None:
        self.task_id = task_id
        self.problems = tuple(problems)
        """With pointers into the output."""
        self.execution_id = execution_id
        self.sampled = sampled
        self.valid = valid
        """The verdict; null where it was rejected because it could not be judged."""
        self.reasons = "; ".join(str(problem) for problem in self.problems) or "no reason given"
        super().__init__()
