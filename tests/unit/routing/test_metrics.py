"""Breakers and fallbacks in the text that Prometheus reads."""

from __future__ import annotations

from hotplane.host.exposition import render
from hotplane.records import now
from hotplane.routing import Breaker, BreakerSettings, FallbackMode, FallbackState
from hotplane.routing.metrics import breaker_families, fallback_families

SETTINGS = BreakerSettings(window_calls=4, minimum_calls=2, half_open_permits=1, open_seconds=5, open_jitter=0)


def samples(breaker: Breaker) -> dict[str, str]:
    """Return the values of a runner's breaker by name and labels."""
    text = render(breaker_families([("runner", breaker.snapshot())]))
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def opened(clock: list[float]) -> Breaker:
    """Return a breaker that has just opened."""
    breaker = Breaker("valkyrie", SETTINGS, clock=lambda: clock[0])
    for _ in range(2):
        breaker.acquire().failure()
    return breaker


def test_a_breaker_is_in_one_state() -> None:
    """Every state has its series, and one of them is 1."""
    found = samples(opened([0.0]))
    states = {name: value for name, value in found.items() if name.startswith("hotplane_breaker_state")}
    assert len(states) == 6
    open_one = 'hotplane_breaker_state{scope="runner",target="valkyrie",state="open"}'
    assert {name for name, value in states.items() if value == "1"} == {open_one}


def test_openings_and_refused_calls_are_counted() -> None:
    """A probe that fails opens it once more; half-open and an operator's hand are no openings."""
    clock = [0.0]
    breaker = opened(clock)
    breaker.admit()
    clock[0] = 60.0
    breaker.acquire().failure()
    breaker.force_open()
    found = samples(breaker)
    assert found['hotplane_breaker_openings_total{scope="runner",target="valkyrie"}'] == "2"
    assert found['hotplane_breaker_rejections_total{scope="runner",target="valkyrie"}'] == "1"


def test_a_fallback_says_who_has_the_work() -> None:
    """One of the three is 1."""
    state = FallbackState(runner="valkyrie", mode=FallbackMode.FAILED, since=now())
    text = render(fallback_families([state]))
    for mode, value in {"primary": 0, "fallback": 0, "failed": 1}.items():
        assert f'hotplane_fallback_mode{{runner="valkyrie",mode="{mode}"}} {value}\n' in text
