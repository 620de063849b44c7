"""How batches, items and results are written into the ledger and read from it.

Imports `records` of this room, `storage`, `records` and `values`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec import UNSET, Struct, UnsetType

from hotplane.execution.batch.records import BatchCounts, BatchOptions, BatchState, ItemProblem, ItemResult, NewItem
from hotplane.records import ExecutionStatus
from hotplane.storage import NewResult, StoredItem, StoredResult
from hotplane.values import Json

__all__ = [
    "BatchRecord",
    "Item",
    "decode_batch",
    "decode_item",
    "encode_batch",
    "encode_item",
    "new_result",
    "refusals",
    "to_result",
]

_encode = msgspec.json.Encoder().encode


class BatchRecord(Struct, frozen=True, kw_only=True):
    """What the ledger says of a batch beside its state; the counts are those of its end."""

    options: BatchOptions
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    sealed: bool = False
    """Whether no more items will come."""
    truncated: bool = False
    ends_as: BatchState = BatchState.COMPLETED
    """What it will be when it has ended."""
    items: int = 0
    counts: BatchCounts = BatchCounts()
    swept: int = 0
    """Results of items that were cancelled before they ran."""
    paused_at: datetime | None = None
    """Since when it has been paused; null while it is not."""
    paused_seconds: float = 0.0
    """How long it was paused since its first item ran, this pause not counted."""
    last_sequence: int = 0


class Item(Struct, frozen=True):
    """An item that was read from the ledger."""

    position: int
    item_id: str
    input: Json
    expected: Json | UnsetType
    timeout_ms: int | None
    correlation_id: str | None
    sample: bool
    size: int
    """Bytes in the ledger."""


class _ItemBody(Struct, frozen=True, kw_only=True, omit_defaults=True):
    item_id: str
    input: Json = None
    expected: Json | UnsetType = UNSET
    timeout_ms: int | None = None
    correlation_id: str | None = None
    sample: bool = False


class _ResultBody(Struct, frozen=True, kw_only=True):
    item_id: str
    correlation_id: str | None = None
    error: ItemProblem | None = None


class _Record(Struct, frozen=True, kw_only=True):
    """The part of an execution's record that its result shows; the rest is not decoded."""

    id: str
    output: Json = None
    error: ItemProblem | None = None
    latency_ms: float = 0.0


_batch_decoder = msgspec.json.Decoder(BatchRecord)
_item_decoder = msgspec.json.Decoder(_ItemBody)
_result_decoder = msgspec.json.Decoder(_ResultBody)
_record_decoder = msgspec.json.Decoder(_Record)


def encode_batch(record: BatchRecord) -> bytes:
    """Return the body of a batch's row."""
    return _encode(record)


def decode_batch(body: bytes) -> BatchRecord:
    """Return what the body of a batch's row says."""
    return _batch_decoder.decode(body)


def encode_item(item: NewItem) -> StoredItem:
    """Return an item's row."""
    body = _ItemBody(
        item_id=item.item_id,
        input=item.input,
        expected=item.expected,
        timeout_ms=item.timeout_ms,
        correlation_id=item.correlation_id,
        sample=item.sample,
    )
    return StoredItem(position=item.position, body=_encode(body))


def decode_item(stored: StoredItem) -> Item:
    """Return the item of a row."""
    body = _item_decoder.decode(stored.body)
    return Item(
        position=stored.position,
        item_id=body.item_id,
        input=body.input,
        expected=body.expected,
        timeout_ms=body.timeout_ms,
        correlation_id=body.correlation_id,
        sample=body.sample,
        size=len(stored.body),
    )


def new_result(item: Item | NewItem, status: ExecutionStatus, problem: ItemProblem) -> NewResult:
    """Return the result of an item that has no record."""
    body = _ResultBody(item_id=item.item_id, correlation_id=item.correlation_id, error=problem)
    return NewResult(position=item.position, status=status.value, body=_encode(body))


def refusals(items: Iterable[NewItem]) -> list[NewResult]:
    """Return the results of the items that never run."""
    return [new_result(item, ExecutionStatus.REJECTED, item.problem) for item in items if item.problem is not None]


def to_result(stored: StoredResult) -> ItemResult:
    """Return a result as the outside sees it."""
    body = _result_decoder.decode(stored.body)
    record = None if stored.record is None else _record_decoder.decode(stored.record)
    return ItemResult(
        sequence=stored.sequence,
        position=stored.position,
        item_id=body.item_id,
        correlation_id=body.correlation_id,
        status=ExecutionStatus(stored.status),
        output=None if record is None else record.output,
        error=body.error if record is None else record.error,
        latency_ms=None if record is None else record.latency_ms,
        execution_id=None if record is None else record.id,
        sampled=stored.sampled,
        valid=stored.valid,
    )
