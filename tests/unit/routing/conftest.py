"""A clock that tests turn, and breakers that read it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hotplane.routing import Breaker, BreakerSettings, Permit, Transition


class FakeClock:
    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Bench:
    """A breaker under test, with its clock and what its listener heard."""

    def __init__(self, clock: FakeClock, draw: Callable[[], float], settings: BreakerSettings) -> None:
        self.clock = clock
        self.heard: list[Transition] = []
        self.breaker = Breaker("engine", settings, clock=clock, random=draw, on_transition=self.heard.append)

    def permit(self) -> Permit:
        permit = self.breaker.admit()
        assert isinstance(permit, Permit)
        return permit

    def succeed(self, times: int = 1, seconds: float = 0.01) -> None:
        for _ in range(times):
            self.permit().success(seconds)

    def fail(self, times: int = 1, seconds: float = 0.01) -> None:
        for _ in range(times):
            self.permit().failure(seconds)

    def trip(self) -> float:
        """Fail the minimum volume of a closed breaker and return its open time."""
        self.fail(self.breaker.settings.minimum_calls)
        return self.open_seconds()

    def open_seconds(self) -> float:
        retry_after = self.breaker.snapshot().retry_after
        assert retry_after is not None
        return retry_after

    def probe(self) -> Permit:
        """Wait for the open time and take the first probe's permit."""
        self.clock.advance(self.open_seconds())
        return self.permit()


@pytest.fixture
def clock() -> FakeClock:
    """Give a clock that stands still until it is turned."""
    return FakeClock()


@pytest.fixture
def bench(clock: FakeClock) -> Callable[..., Bench]:
    """Make a bench: four calls are judged, half of them trip, and the jitter is drawn in the middle."""

    def make(*, draw: Callable[[], float] = lambda: 0.5, **settings: object) -> Bench:
        small = {"window_calls": 8, "minimum_calls": 4, "slow_call_seconds": 1.0}
        return Bench(clock, draw, BreakerSettings.model_validate({**small, **settings}))

    return make
