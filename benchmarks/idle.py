"""What a host at rest costs: 20 healthy plugins under watch, and the loop watchdog, as a share of one core.

Run ``python -m benchmarks.idle``. The peer is the same loop with nothing on it. CPU time is that of the whole process,
all threads included, so that the checks of sync plugins are in it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from statistics import median

from hotplane.host.attribution import PluginFrames
from hotplane.host.health import HealthMonitor, HealthSettings
from hotplane.host.watchdog import Watchdog, WatchdogSettings
from hotplane.plugins import Validator
from hotplane.programs import DaemonThreads
from hotplane.records import Health, PluginMetadata
from hotplane.registry import Registry

PLUGINS = 20
SECONDS = 10.0
GOAL_PERCENT = 1.0


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class Sync(Validator):
    metadata = PluginMetadata(name="sync", version="1.0")

    def check_health(self) -> Health:
        return Health()


class Async(Validator):
    metadata = PluginMetadata(name="async", version="1.0")

    async def check_health(self) -> Health:
        return Health()


@asynccontextmanager
async def watched(interval: float | None, *, watchdog: bool) -> AsyncGenerator[None]:
    """Watch 20 plugins, half of them with sync checks, at `interval` seconds; None for no monitor."""
    threads = DaemonThreads(max_threads=4)
    registry = Registry(offload=threads.call)
    for number in range(PLUGINS):
        registry.register(Async() if number % 2 else Sync(), id=f"p{number}")
    settings = HealthSettings(enabled=interval is not None, interval_seconds=interval or 1.0)
    monitor = HealthMonitor(
        registry.entries,
        settings,
        clock=Clock(),
        offload=threads.call,
        on_unhealthy=lambda *_: None,
        on_recovered=lambda _: None,
    )
    dog = Watchdog(WatchdogSettings(enabled=watchdog), PluginFrames(registry.entries))
    monitor.start()
    dog.start(asyncio.get_running_loop())
    yield
    dog.stop()
    await monitor.stop()
    threads.close()


async def percent_of_a_core(interval: float | None, *, watchdog: bool, seconds: float) -> float:
    """Return the CPU time that the process used while its loop had nothing else to do."""
    async with watched(interval, watchdog=watchdog):
        await asyncio.sleep(0.2)
        began, used = time.monotonic(), time.process_time()
        await asyncio.sleep(seconds)
        return (time.process_time() - used) / (time.monotonic() - began) * 100


def measure(rounds: int = 1, seconds: float = SECONDS) -> list[dict[str, object]]:
    """Return a row per case: `ours` and `peer` in % of one core, `goal` the most `ours` may be."""
    cases: dict[str, tuple[float | None, bool]] = {
        "an empty loop": (None, False),
        "watchdog alone": (None, True),
        f"{PLUGINS} healthy plugins every 30 s, watchdog": (30.0, True),
        f"{PLUGINS} healthy plugins every 1 s, watchdog": (1.0, True),
    }
    used: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, (interval, watchdog) in cases.items():
            used[name].append(asyncio.run(percent_of_a_core(interval, watchdog=watchdog, seconds=seconds)))
    empty = median(used.pop("an empty loop"))
    return [
        {
            "name": f"idle: {name}, beside an empty loop",
            "ours": round(median(values), 3),
            "peer": round(empty, 3),
            "unit": "% of a core",
            "ratio": round(median(values) / empty, 1) if empty else None,
            "goal": GOAL_PERCENT,
        }
        for name, values in used.items()
    ]


def main() -> None:
    print(f"{'CPU time of the process':72} {'ours':>7} {'peer':>7}  unit         goal")
    for row in measure():
        print(f"{row['name']:72} {row['ours']:7.3f} {row['peer']:7.3f}  {row['unit']}  <= {row['goal']}")


if __name__ == "__main__":
    main()
