"""What is sent and answered about batches. Imports only lower rooms, `bodies` and `items`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from hotplane.api.bodies import Body
from hotplane.api.intake import GROUP
from hotplane.api.items import ItemBody, ItemIds
from hotplane.api.refusals import BodyDoesNotFit, QueryDoesNotFit
from hotplane.errors import BatchTooLarge, EmptyBatch, NotJson, Problem
from hotplane.execution.batch import (
    BatchOptions,
    BatchSettings,
    BatchStatus,
    Candidate,
    ItemResult,
    ItemVerdict,
    NewItem,
)
from hotplane.execution.batch.options import MAX_CONCURRENCY, MAX_PRIORITY
from hotplane.values import Json, pointer

__all__ = [
    "ArrayUpload",
    "BatchAnswer",
    "BatchBody",
    "CandidateBody",
    "ValidateAnswer",
    "ValidateBody",
    "VerdictCounts",
]

Task = Annotated[str, Meta(min_length=1, max_length=128)]


class _Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    task_id: Task
    """The task that runs on every item."""
    max_concurrency: Annotated[int, Meta(ge=1, le=MAX_CONCURRENCY)] = 64
    """Items that run at once."""
    stop_on_first_error: bool = False
    """Whether the first item that fails, overruns its time or is rejected cancels the others."""
    item_timeout_ms: Annotated[int, Meta(ge=1)] | None = None
    """Deadline of each item that has none of its own; no longer than the task's."""
    priority: Annotated[int, Meta(ge=-MAX_PRIORITY, le=MAX_PRIORITY)] = 0
    """Where batches compete, higher ones go first."""

    def options(self, batch_id: str | None) -> BatchOptions:
        """Return what the engine takes."""
        return BatchOptions(
            id=batch_id,
            task_id=self.task_id,
            max_concurrency=self.max_concurrency,
            stop_on_first_error=self.stop_on_first_error,
            item_timeout_ms=self.item_timeout_ms,
            priority=self.priority,
        )


class BatchBody(_Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A batch as one JSON document."""

    items: tuple[ItemBody, ...]
    """What to run the task on."""


class _RawBatchBody(_Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same; its items are decoded one by one, so that a large document does not hold up everybody else."""

    items: list[msgspec.Raw]


class BatchAnswer(Struct, frozen=True, kw_only=True):
    """A small batch that has ended."""

    batch: BatchStatus
    results: tuple[ItemResult, ...]
    """In the order of the items."""


class CandidateBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An output that somebody else produced."""

    output: Json
    input: Json = None
    expected: Json | UnsetType = UNSET
    """What it should be, where that is known."""
    id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    """Names it in the answer; by default its 1-based place."""

    def to_candidate(self) -> Candidate:
        """Return what the engine takes."""
        return Candidate(output=self.output, input=self.input, expected=self.expected, id=self.id)


class ValidateBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Outputs to judge."""

    task_id: Task
    """The task that they would be outputs of."""
    items: tuple[CandidateBody, ...]


class VerdictCounts(Struct, frozen=True, kw_only=True):
    """How many of the outputs are what."""

    valid: int
    invalid: int
    not_judged: int
    """No validator applied, or one could not judge."""


class ValidateAnswer(Struct, frozen=True, kw_only=True):
    """What the validators say, in the order of the items."""

    results: tuple[ItemVerdict, ...]
    counts: VerdictCounts

    @classmethod
    def of(cls, verdicts: Sequence[ItemVerdict]) -> ValidateAnswer:
        """Return the answer for some verdicts."""
        found = [verdict.valid for verdict in verdicts]
        counts = VerdictCounts(valid=found.count(True), invalid=found.count(False), not_judged=found.count(None))
        return cls(results=tuple(verdicts), counts=counts)


class ArrayUpload:
    """A batch in one JSON document: an object with items and options, or only an array of items.

    Args:
        body: The document.
        settings: Limits.
        max_depth: How deep an item may be nested.
        optioned: Whether the query has options, which an object has itself.
    """

    def __init__(self, body: bytes, settings: BatchSettings, max_depth: int, *, optioned: bool) -> None:
        self._settings = settings
        self._item = Body(ItemBody, max_depth)
        self.body: _RawBatchBody | None = None
        """The document where it is an object."""
        if body.lstrip(_BLANK).startswith(b"["):
            self._raw: list[msgspec.Raw] = _ARRAY.decode(body)
        elif optioned and body.lstrip(_BLANK).startswith(b"{"):
            raise QueryDoesNotFit([("task", "an object has its task and options itself; the query has to be empty")])
        else:
            self.body = _OBJECT.decode(body)
            self._raw = self.body.items
        self._kind: Literal["", "/items"] = "" if self.body is None else "/items"
        if not self._raw:
            raise EmptyBatch
        if len(self._raw) > settings.max_items:
            raise BatchTooLarge(settings.max_items, "items", "batches.max_items")

    def __len__(self) -> int:
        return len(self._raw)

    async def check(self) -> None:
        """Make sure that every one is an item, and that no two have the same id.

        Raises:
            BodyDoesNotFit: The pointer says which is not.
        """
        ids = ItemIds()
        for index, raw in enumerate(self._raw):
            if not ids.claim(index + 1, self._decode(index, raw).id):
                raise BodyDoesNotFit("an earlier item has the same id", self._kind + pointer(index, "id"))
            if index % GROUP == GROUP - 1:
                await asyncio.sleep(0)

    async def groups(self) -> AsyncIterator[list[NewItem]]:
        """Yield the items."""
        for start in range(0, len(self._raw), GROUP):
            chosen = enumerate(self._raw[start : start + GROUP], start)
            yield [self._decode(index, raw).to_item(index + 1) for index, raw in chosen]

    def _decode(self, index: int, raw: msgspec.Raw) -> ItemBody:
        place = self._kind + pointer(index)
        text = memoryview(raw)
        if text.nbytes > self._settings.max_item_bytes:
            limit = self._settings.max_item_bytes
            raise BodyDoesNotFit(f"the item is larger than {limit} bytes, the limit `batches.max_item_bytes`", place)
        try:
            return self._item.decode(bytes(text))
        except BodyDoesNotFit as error:
            problem = error.problems[0]
            raise BodyDoesNotFit(error.reason, place + problem.pointer) from None
        except NotJson as error:
            error.problems = tuple(Problem(each.message, place + each.pointer) for each in error.problems)
            raise


_BLANK = b" \t\r\n"
_ARRAY: Body[list[msgspec.Raw]] = Body(list[msgspec.Raw])
_OBJECT = Body(_RawBatchBody)
