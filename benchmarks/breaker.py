"""What a breaker adds to a call: ours beside a bare call, and beside other breakers where they are installed.

Run ``python -m benchmarks.breaker``. Each row is the median over rounds, in µs per call; all rows of a round
run back to back, so that a busy machine disturbs them alike.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from timeit import Timer

from benchmarks.board import Goal, Row, at_most, interleave, print_table, row
from hotplane.routing import Breaker, BreakerSettings

CALLS = 20_000
GOAL_MICROSECONDS = 1.5
BLOCK = "breaker: with breaker.acquire()"


def bare_call() -> None:
    """Stand for the work: a function that returns at once."""


def admit_and_report(settings: BreakerSettings) -> Callable[[], None]:
    breaker = Breaker("benchmark", settings)

    def call() -> None:
        if permit := breaker.admit():
            permit.success(0.001)

    return call


def guarded_block() -> Callable[[], None]:
    breaker = Breaker("benchmark")

    def call() -> None:
        with breaker.acquire():
            bare_call()

    return call


def rejection() -> Callable[[], None]:
    breaker = Breaker("benchmark")
    breaker.force_open()

    def call() -> None:
        breaker.admit()

    return call


def pybreaker_call() -> Callable[[], None] | None:
    if find_spec("pybreaker") is None:
        return None
    breaker = import_module("pybreaker").CircuitBreaker(fail_max=5, reset_timeout=60)
    return lambda: breaker.call(bare_call)


def purgatory_block() -> Callable[[], None] | None:
    if find_spec("purgatory") is None:
        return None
    factory = import_module("purgatory").SyncCircuitBreakerFactory()

    def call() -> None:
        with factory.get_breaker("benchmark"):
            bare_call()

    return call


def measure(rounds: int = 9) -> list[Row]:
    """Return a row per case, beside a bare call; beside other breakers where they are installed."""
    peers = {"bare call": bare_call, "pybreaker": pybreaker_call(), "purgatory": purgatory_block()}
    goal = at_most(GOAL_MICROSECONDS, of="ours")
    ours: dict[str, tuple[Callable[[], None], Goal | None]] = {
        "breaker: admit + report, count window": (admit_and_report(BreakerSettings()), goal),
        "breaker: admit + report, time window": (admit_and_report(BreakerSettings(window="time")), goal),
        BLOCK: (guarded_block(), None),
        "breaker: rejection": (rejection(), None),
    }
    present = {name: peer for name, peer in peers.items() if peer}
    names = [*ours, *present]
    taken = interleave(rounds, *(timed(call) for call in [*(call for call, _ in ours.values()), *present.values()]))
    times = dict(zip(names, taken, strict=True))
    rows = [row(name, "µs", times[name], "bare call", times["bare call"], goal) for name, (_, goal) in ours.items()]
    return rows + [
        row(BLOCK, "µs", times[BLOCK], name, times[name]) for name in ("pybreaker", "purgatory") if name in times
    ]


def timed(call: Callable[[], None]) -> Callable[[], float]:
    timer = Timer(call)
    return lambda: timer.timeit(CALLS) / CALLS * 1e6


if __name__ == "__main__":
    print_table(measure())
