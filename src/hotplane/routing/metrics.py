"""Circuit breakers and fallbacks as Prometheus sees them. Imports only `host` and this room's values.

Labels are bounded: what a breaker stands before, which is a runner or a handler's destination, and the states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from hotplane.host.exposition import Family, Sample
from hotplane.routing.fallback import FallbackMode, FallbackState
from hotplane.routing.states import BreakerSnapshot, BreakerState

__all__ = ["Guarded", "breaker_families", "fallback_families"]

Guarded = tuple[str, BreakerSnapshot]
"""What a breaker stands before, ``runner`` or ``destination``, and how it is."""


def breaker_families(breakers: Iterable[Guarded]) -> Iterator[Family]:
    """Yield the metrics of breakers."""
    found = tuple(breakers)
    yield Family(
        name="hotplane_breaker_state",
        help="1 for the state that a circuit breaker is in, 0 for the others.",
        type="gauge",
        samples=tuple(
            Sample(snapshot.state is state, {**_labels(scope, snapshot), "state": state.value})
            for scope, snapshot in found
            for state in BreakerState
        ),
    )
    yield _counter("openings", "How often a circuit breaker has opened.", found, lambda each: each.counters.openings)
    yield _counter(
        "rejections", "Calls that a circuit breaker did not let through.", found, lambda each: each.counters.rejected
    )


def fallback_families(states: Iterable[FallbackState]) -> Iterator[Family]:
    """Yield the metrics of fallbacks."""
    yield Family(
        name="hotplane_fallback_mode",
        help="1 for where the work of a route's first runner goes, 0 for the others.",
        type="gauge",
        samples=tuple(
            Sample(state.mode is mode, {"runner": state.runner, "mode": mode.value})
            for state in states
            for mode in FallbackMode
        ),
    )


def _counter(name: str, help: str, breakers: Iterable[Guarded], value: Callable[[BreakerSnapshot], int]) -> Family:
    samples = tuple(Sample(value(snapshot), _labels(scope, snapshot)) for scope, snapshot in breakers)
    return Family(name=f"hotplane_breaker_{name}_total", help=help, type="counter", samples=samples)


def _labels(scope: str, snapshot: BreakerSnapshot) -> dict[str, str]:
    return {"scope": scope, "target": snapshot.name}
