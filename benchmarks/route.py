"""What a route adds: three healthy runners beside calling the first directly, and an outage beside no outage.

Run ``python -m benchmarks.route``. The figures are µs per execution, the medians of rounds that run in turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.board import Row, at_most, interleave, print_table
from hotplane.plugins import Runner
from hotplane.records import Health, PluginMetadata, Task
from hotplane.registry import Registry
from hotplane.routing import Routes

CALLS = 2_000
ADDED_MICROSECONDS = 5.0
OUTAGE_MICROSECONDS = 1_000.0
TASK = Task(id="benchmark", program="benchmark:f", idempotent=True)
INPUT = {"subject": "eggs", "tins": 7}


class Ready(Runner):
    metadata = PluginMetadata(name="ready", version="1")

    async def run(self, task: Task, input: Any, deadline: float) -> Any:
        return True


async def healthy(runner: str) -> Health:
    return Health()


def three_runners() -> tuple[Registry, Routes]:
    registry = Registry()
    for name in ("first", "second", "third"):
        registry.register(Ready(), id=name)
    return registry, Routes(registry, probe=healthy)


def timed(call: Callable[[], Awaitable[object]]) -> Callable[[], float]:
    async def loop() -> float:
        started = perf_counter()
        for _ in range(CALLS):
            await call()
        return (perf_counter() - started) / CALLS * 1e6

    return lambda: asyncio.run(loop())


def added(name: str, ours: Callable[[], float], peer: Callable[[], float], rounds: int, limit: float) -> Row:
    """Compare the *difference* with the limit; the board's ratio would say nothing here."""
    taken = interleave(rounds, ours, peer)
    differences = sorted(a - b for a, b in zip(*taken, strict=True))
    spread = (differences[0], differences[-1])
    return Row(name, "µs added", median(differences), spread=spread, goal=at_most(limit, "ours"))


def measure(rounds: int = 9) -> list[Row]:
    registry, routes = three_runners()
    link = registry.chains[Runner].links[0]
    names = ("first", "second", "third")

    def direct() -> Awaitable[object]:
        return link.invoke(TASK, INPUT, 30.0, limit=30.0)

    def routed() -> Awaitable[object]:
        return routes.route(names).run(TASK, INPUT, 30.0)

    _, broken = three_runners()
    broken.route(names)
    broken.activate("first")

    def around() -> Awaitable[object]:
        return broken.route(names).run(TASK, INPUT, 30.0)

    return [
        added(
            "route of three healthy runners, over calling the first",
            timed(routed),
            timed(direct),
            rounds,
            ADDED_MICROSECONDS,
        ),
        added(
            "a runner whose breaker is open, over one that works",
            timed(around),
            timed(routed),
            rounds,
            OUTAGE_MICROSECONDS,
        ),
    ]


if __name__ == "__main__":
    print_table(measure())
