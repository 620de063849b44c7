"""What an operator may set about batches and streams. Imports nothing of Hotplane."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["BatchSettings"]


class BatchSettings(BaseModel):
    """How large batches may be, how many run, and how long they are kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answer_at_once: Annotated[int, Field(ge=0, le=10_000)] = 100
    """Items up to which a batch is answered with its results in one go; a larger one with 202 and its address."""
    max_items: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Items of one batch or stream."""
    max_bytes: Annotated[int, Field(ge=1, le=2**40)] = 2**30
    """Size of an upload in NDJSON, in bytes."""
    max_json_bytes: Annotated[int, Field(ge=1, le=2**30)] = 64 * 2**20
    """Size of an upload as one JSON document, which is held in memory whole, in bytes."""
    max_json_uploads: Annotated[int, Field(ge=1, le=10_000)] = 8
    """Such documents that are held at once, as far as they are larger than `server.max_body_bytes`; more are refused
    with 503."""
    max_item_bytes: Annotated[int, Field(ge=1, le=2**30)] = 2**20
    """Size of one item, in bytes."""
    max_concurrency: Annotated[int, Field(ge=1, le=10_000)] = 256
    """Items of all batches together that run at once."""
    max_running: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Batches that have not ended; more are refused with 503."""
    max_spooled_bytes: Annotated[int, Field(ge=1, le=2**50)] = 2**32
    """Bytes of items of all batches that are stored and have no result; uploads wait while there are more."""
    keep_days: Annotated[float, Field(gt=0, le=36_500)] = 7
    """How long the results of an ended batch are kept; the records of its executions stay."""
