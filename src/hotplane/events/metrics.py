"""Deliveries as Prometheus sees them. Imports only `figures` of this room, `host` and `storage`.

Labels are bounded: a handler's id, and what came of an attempt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import accumulate

from hotplane.events.figures import BOUNDS, AttemptFigures
from hotplane.host.exposition import Family, Sample, number
from hotplane.storage import Queue

__all__ = ["delivery_families"]


def delivery_families(
    figures: Mapping[str, AttemptFigures], queues: Mapping[str, Queue], now: datetime
) -> Iterator[Family]:
    """Yield the metrics of deliveries.

    Args:
        figures: What was done, by handler.
        queues: What there is to do, by handler.
        now: The present instant, aware.
    """
    yield Family(
        name="hotplane_delivery_attempts_total",
        help="Attempts to deliver an event, by what came of them.",
        type="counter",
        samples=tuple(
            Sample(count, {"handler": handler, "outcome": outcome.value})
            for handler, each in figures.items()
            for outcome, count in each.outcomes.items()
        ),
    )
    yield Family(
        name="hotplane_delivery_attempt_duration_seconds",
        help="How long attempts to deliver an event took.",
        type="histogram",
        samples=tuple(sample for handler, each in figures.items() for sample in _histogram(handler, each)),
    )
    yield _gauge("pending", "Events that a handler has not taken yet and will be tried.", _pending(queues))
    yield _gauge("dead", "Events that a handler did not take, and that are tried no more.", _dead(queues))
    yield _gauge("oldest_seconds", "How long a handler's oldest pending event has waited.", _ages(queues, now))


def _gauge(name: str, help: str, values: Mapping[str, float]) -> Family:
    samples = tuple(Sample(value, {"handler": handler}) for handler, value in values.items())
    return Family(name=f"hotplane_deliveries_{name}", help=help, type="gauge", samples=samples)


def _pending(queues: Mapping[str, Queue]) -> dict[str, float]:
    return {handler: queue.pending for handler, queue in queues.items()}


def _dead(queues: Mapping[str, Queue]) -> dict[str, float]:
    return {handler: queue.dead for handler, queue in queues.items()}


def _ages(queues: Mapping[str, Queue], now: datetime) -> dict[str, float]:
    return {
        handler: 0.0 if queue.oldest is None else max(0.0, (now - queue.oldest).total_seconds())
        for handler, queue in queues.items()
    }


def _histogram(handler: str, figures: AttemptFigures) -> Iterator[Sample]:
    *bounded, total = accumulate(figures.buckets)
    for bound, count in zip(BOUNDS, bounded, strict=True):
        yield Sample(count, {"handler": handler, "le": number(bound)}, "_bucket")
    yield Sample(total, {"handler": handler, "le": "+Inf"}, "_bucket")
    yield Sample(figures.seconds, {"handler": handler}, "_sum")
    yield Sample(total, {"handler": handler}, "_count")
