"""What reading a batch's results costs the host that it is read from."""

import gc
from collections import Counter
from types import SimpleNamespace
from typing import Any

from hotplane.api.following import line_parts
from hotplane.execution.batch import ItemResult
from hotplane.records import ExecutionStatus

RESULT = ItemResult(
    sequence=1,
    position=1,
    item_id="1",
    correlation_id=None,
    status=ExecutionStatus.SUCCESS,
    output=1,
    error=None,
    latency_ms=None,
    execution_id=None,
    sampled=False,
    valid=None,
)


class EndedBatch:
    """A batch of one item that has ended."""

    async def get(self, _: str) -> Any:
        return SimpleNamespace(ended=True)

    async def results(self, _: str, *, after: int, limit: int) -> tuple[ItemResult, ...]:
        return () if after else (RESULT,)


async def read() -> list[bytes]:
    """Read the batch as a client does that does not wait for more."""
    batch: Any = EndedBatch()
    return [part async for part in line_parts(batch, "b", 0, follow=False, limit=None, heartbeat_seconds=9)]


def iterators() -> int:
    """Count the iterators that the garbage collector knows of."""
    gc.collect()
    counts = Counter(type(each).__name__ for each in gc.get_objects())
    return counts["tuple_iterator"] + counts["list_iterator"]


async def test_reading_results_leaves_nothing_behind():
    """A hundred readers leave no objects in the host's memory."""
    assert b'"item_id":"1"' in b"".join(await read())
    before = iterators()
    for _ in range(100):
        await read()
    assert iterators() - before < 10
