"""Deliveries in the text that Prometheus reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hotplane.events.figures import BOUNDS, Figures
from hotplane.events.metrics import delivery_families
from hotplane.host.exposition import render
from hotplane.storage import DeliveryState, Queue

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def lines(figures: Figures, queue: Queue | None = None) -> list[str]:
    """Return the samples of handler a."""
    text = render(delivery_families({"a": figures.of("a")}, {} if queue is None else {"a": queue}, NOW))
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_attempts_are_counted_by_what_came_of_them() -> None:
    """Every outcome has a series from the beginning, at zero."""
    figures = Figures()
    for outcome in (DeliveryState.FAILED, DeliveryState.FAILED, DeliveryState.DELIVERED):
        figures.of("a").note(outcome, 0.1)
    found = lines(figures)
    for outcome, count in {"delivered": 1, "failed": 2, "dead": 0}.items():
        assert f'hotplane_delivery_attempts_total{{handler="a",outcome="{outcome}"}} {count}' in found


def test_a_duration_is_in_every_bucket_that_reaches_it() -> None:
    """A bound belongs to its bucket, and what is above all bounds is only in the last."""
    figures = Figures()
    for seconds in (0.005, 0.3, 61.0):
        figures.of("a").note(DeliveryState.DELIVERED, seconds)
    found = lines(figures)
    name = "hotplane_delivery_attempt_duration_seconds"
    for bound, count in {"0.005": 1, "0.25": 1, "0.5": 2, "60": 2, "+Inf": 3}.items():
        assert f'{name}_bucket{{handler="a",le="{bound}"}} {count}' in found
    assert f'{name}_sum{{handler="a"}} 61.305' in found
    assert f'{name}_count{{handler="a"}} 3' in found
    assert len([line for line in found if line.startswith(f"{name}_bucket")]) == len(BOUNDS) + 1


def test_a_queue_has_its_length_and_its_age() -> None:
    """The age is that of the oldest event that is to be delivered; without one it is zero."""
    found = lines(Figures(), Queue(pending=3, dead=2, oldest=NOW - timedelta(minutes=2)))
    assert 'hotplane_deliveries_pending{handler="a"} 3' in found
    assert 'hotplane_deliveries_dead{handler="a"} 2' in found
    assert 'hotplane_deliveries_oldest_seconds{handler="a"} 120' in found
    assert 'hotplane_deliveries_oldest_seconds{handler="a"} 0' in lines(
        Figures(), Queue(pending=0, dead=2, oldest=None)
    )


def test_a_queue_that_is_not_known_has_no_series() -> None:
    """The store could not tell."""
    assert not [line for line in lines(Figures()) if line.startswith("hotplane_deliveries")]


def test_a_handler_that_is_gone_is_forgotten() -> None:
    """Its series end, and one of its name that comes later begins at zero."""
    figures = Figures()
    for handler in ("a", "b"):
        figures.of(handler).note(DeliveryState.DEAD, 1.0)
    figures.keep(frozenset({"b"}))
    assert figures.of("b").outcomes[DeliveryState.DEAD] == 1
    assert figures.of("a").outcomes[DeliveryState.DEAD] == 0
