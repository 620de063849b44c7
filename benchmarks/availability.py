"""Steady load while the worker is killed, frozen or flapping every few seconds: how many executions succeed.

Run ``python -m benchmarks.availability [SECONDS]``. Two hosts with the route valkyrie → http → local share the worker
that suffers; the HTTP worker stays whole. One host has default settings, so that its breaker keeps it away from such a
worker for longer and longer. The other looks again at once and reconnects at once, so that more faults hit it in
mid-call. Needs the fault harness of the tests.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.board import Row, at_most, print_table
from hotplane.log import configure
from hotplane.routing import RunnerBreakerSettings
from tests.integration.faults.gate import Gate
from tests.integration.faults.processes import Worker
from tests.integration.faults.results import Result, Seen
from tests.integration.faults.scene import BREAKER, Load
from tests.integration.faults.site import Site, open_site

FAILED_PERCENT = 0.1
CALLERS = 6
"""Of the idempotent task at each host, and as many of the other."""
BETWEEN_FAULTS = (1.0, 3.0)
DEFAULTS: dict[str, Any] = {"reconnect_min_ms": 100, "reconnect_max_ms": 5_000, "connect_timeout_ms": 5_000}
"""The Valkyrie runner's own; the harness sets shorter ones."""


@dataclass
class Chaos:
    """Does harm to one worker, whose hosts come through a gate."""

    site: Site
    gate: Gate
    worker: Worker
    dice: random.Random
    done: list[str] = field(default_factory=list[str])

    async def rage(self, seconds: float) -> None:
        """Do one harm after another; at the end the worker is whole again."""
        harms: Sequence[Callable[[], Awaitable[None]]] = (self.kill, self.freeze, self.flap)
        ends_at = perf_counter() + seconds
        while perf_counter() < ends_at:
            await self.wait(*BETWEEN_FAULTS)
            harm = self.dice.choice(harms)
            self.done.append(harm.__name__)
            await harm()

    async def kill(self) -> None:
        self.worker.kill()
        await self.wait(0.2, 1.5)
        self.worker = await self.site.start_worker(listen=self.worker.endpoint)

    async def freeze(self) -> None:
        self.worker.freeze()
        await self.wait(0.5, 2.5)
        self.worker.thaw()

    async def flap(self) -> None:
        for _ in range(3):
            await self.gate.close()
            await asyncio.sleep(0.5)
            await self.gate.open()
            await asyncio.sleep(0.5)

    async def wait(self, least: float, most: float) -> None:
        await asyncio.sleep(self.dice.uniform(least, most))


@dataclass(frozen=True)
class Suffered:
    """What one host's callers saw."""

    host: str
    result: Result
    seen: Sequence[Seen]


async def suffered(site: Site, seconds: float, seed: int) -> tuple[list[Suffered], list[str]]:
    """Return what the callers of each host saw, and which harm was done."""
    worker = await site.start_worker()
    async with site.gate(worker.port) as gate:
        chaos = Chaos(site, gate, worker, random.Random(seed))
        try:
            async with (
                loaded(site, gate, RunnerBreakerSettings(), **DEFAULTS) as patient,
                loaded(site, gate, BREAKER) as eager,
            ):
                await chaos.rage(seconds)
        finally:
            chaos.worker.kill()
    loads = (("defaults", patient), ("looks again at once", eager))
    return [Suffered(name, load.result(), load.seen) for name, load in loads], chaos.done


def loaded(
    site: Site, gate: Gate, breaker: RunnerBreakerSettings, **valkyrie: Any
) -> AbstractAsyncContextManager[Load]:
    """Open a host with a database and a ledger of its own."""
    endpoint = f"tcp://127.0.0.1:{gate.port}"
    return site.of_its_own().load("availability", endpoint, breaker=breaker, callers=CALLERS, **valkyrie)


def measure(seconds: float = 60.0, seed: int = 1) -> list[Row]:
    """Return the rows of the board."""
    configure(level="ERROR")
    with tempfile.TemporaryDirectory() as folder, open_site(Path(folder)) as site:
        hosts, harms = asyncio.run(suffered(site.of_its_own(), seconds, seed))
    done = ", ".join(f"{harms.count(harm)} × {harm}" for harm in sorted(set(harms)))
    return [each for host in hosts for each in _rows(host, done)]


def _rows(host: Suffered, done: str) -> list[Row]:
    safe = [each for each in host.seen if each.task == "safe"]
    waits = sorted((each.ended - each.began) * 1e3 for each in safe)
    failed = 100.0 * host.result.failed / len(safe)
    by_worker = 100.0 * sum(each.by == "valkyrie" for each in safe) / len(safe)
    return [
        Row(
            f"idempotent executions that failed ({host.host}): {100.0 - failed:.3f} % of {len(safe)} succeeded; {done}",
            "%",
            failed,
            goal=at_most(FAILED_PERCENT, "ours"),
        ),
        Row("… and took, median (30 to 54 ms of it in the program)", "ms", _percentile(waits, 0.5)),
        Row("… and took, 99th percentile", "ms", _percentile(waits, 0.99)),
        Row("… and were answered by the worker that suffers", "%", by_worker),
        Row("… and ran twice, which they may", "", host.result.repeated),
        Row("others that ran twice, which they must not", "", host.result.doubled, goal=at_most(0, "ours")),
    ]


def _percentile(ordered: Sequence[float], q: float) -> float:
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.availability", description=__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1, help="of the faults' order and times")
    options = parser.parse_args()
    rows = measure(options.seconds, options.seed)
    print_table(rows)
    return int(any(row.met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
