"""Batches as Prometheus sees them. Imports only `host`, `records` and `live` of this room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from hotplane.execution.batch.live import LiveBatch
from hotplane.execution.batch.records import ENDED, BatchState
from hotplane.host.exposition import Family, Sample
from hotplane.records import ExecutionStatus

__all__ = ["batch_families"]


def batch_families(live: Collection[LiveBatch], results: Mapping[ExecutionStatus, int]) -> Iterator[Family]:
    """Yield the metrics of batches.

    Args:
        live: The batches of this host that have not ended.
        results: How many items got a result since the process began, by status.
    """
    states = Counter(each.state for each in live)
    yield Family(
        name="hotplane_batches",
        help="Batches and streams that have not ended, by state.",
        type="gauge",
        samples=tuple(Sample(states[state], {"state": state.value}) for state in BatchState if state not in ENDED),
    )
    yield _gauge(
        "hotplane_batches_waiting",
        "Batches in which nothing runs although it should, such as for a full disk or a runner that is away.",
        sum(each.problem is not None for each in live),
    )
    yield _gauge(
        "hotplane_batch_items_pending",
        "Items of batches that have no result yet.",
        sum(each.items - each.tally.done for each in live),
    )
    yield Family(
        name="hotplane_batch_items_total",
        help="Items of batches that got a result, by status.",
        type="counter",
        samples=tuple(Sample(results.get(status, 0), {"status": status.value}) for status in ExecutionStatus),
    )


def _gauge(name: str, help: str, value: float) -> Family:
    return Family(name=name, help=help, type="gauge", samples=(Sample(value),))
