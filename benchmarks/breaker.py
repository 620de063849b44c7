"""What a breaker adds to a call: ours beside a bare call, and beside other breakers where they are installed.

Run ``python -m benchmarks.breaker``. Each row is the median over rounds, in µs per call; all rows of a round
run back to back, so that a busy machine disturbs them alike.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from statistics import median
from timeit import Timer

from hotplane.routing import Breaker, BreakerSettings

CALLS = 20_000
GOAL_MICROSECONDS = 1.5


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


def measure(rounds: int = 9) -> list[dict[str, object]]:
    """Return a row per case: `ours` and `peer` in µs per call, `ratio` = ours ÷ peer, `goal` the most `ours` may be."""
    peers = {"bare call": bare_call, "pybreaker": pybreaker_call(), "purgatory": purgatory_block()}
    ours: dict[str, tuple[Callable[[], None], float | None]] = {
        "admit + report, count window": (admit_and_report(BreakerSettings()), GOAL_MICROSECONDS),
        "admit + report, time window": (admit_and_report(BreakerSettings(window="time")), GOAL_MICROSECONDS),
        "with breaker.acquire()": (guarded_block(), None),
        "rejection": (rejection(), None),
    }
    cases = {name: call for name, (call, _) in ours.items()} | {name: peer for name, peer in peers.items() if peer}
    timers = {name: Timer(call) for name, call in cases.items()}
    times: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(rounds):
        for name, timer in timers.items():
            times[name].append(timer.timeit(CALLS) / CALLS * 1e6)
    p50 = {name: median(values) for name, values in times.items()}
    rows = [_row(name, p50[name], "bare call", p50["bare call"], goal) for name, (_, goal) in ours.items()]
    block = p50["with breaker.acquire()"]
    return rows + [
        _row("with breaker.acquire()", block, name, p50[name], None)
        for name in ("pybreaker", "purgatory")
        if name in p50
    ]


def _row(name: str, ours: float, peer_name: str, peer: float, goal: float | None) -> dict[str, object]:
    return {
        "name": f"breaker: {name}, beside {peer_name}",
        "ours": round(ours, 3),
        "peer": round(peer, 3),
        "unit": "us/call",
        "ratio": round(ours / peer, 2),
        "goal": goal,
    }


def main() -> None:
    print(f"{'p50 of rounds':58} {'ours':>7} {'peer':>7} {'ratio':>7}  unit     goal")
    for row in measure():
        goal = f"<= {row['goal']}" if row["goal"] else "-"
        print(f"{row['name']:58} {row['ours']:7.3f} {row['peer']:7.3f} {row['ratio']:7.1f}  {row['unit']}  {goal}")


if __name__ == "__main__":
    main()
