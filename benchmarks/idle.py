"""What a host at rest costs: 20 healthy plugins under watch, and the loop watchdog, as a share of one core.

Run ``python -m benchmarks.idle``. The peer is the same loop with nothing on it. CPU time is that of the whole process,
all threads included, so that the checks of sync plugins are in it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from benchmarks.board import Row, at_most, interleave, print_table, row
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


def measure(rounds: int = 1, seconds: float = SECONDS) -> list[Row]:
    """Return a row per case, in % of one core; the goal is the most that ours may be."""
    cases: dict[str, tuple[float | None, bool]] = {
        "idle: watchdog alone": (None, True),
        f"idle: {PLUGINS} healthy plugins every 30 s, watchdog": (30.0, True),
        f"idle: {PLUGINS} healthy plugins every 1 s, watchdog": (1.0, True),
    }

    def taken_by(interval: float | None, watchdog: bool) -> Callable[[], float]:
        return lambda: asyncio.run(percent_of_a_core(interval, watchdog=watchdog, seconds=seconds))

    empty, *used = interleave(rounds, taken_by(None, False), *(taken_by(*case) for case in cases.values()))
    goal = at_most(GOAL_PERCENT, of="ours")  # for the default interval; once a second is a look ahead
    return [
        row(name, "% of a core", ours, "empty loop", empty, None if interval == 1.0 else goal)
        for (name, (interval, _)), ours in zip(cases.items(), used, strict=True)
    ]


if __name__ == "__main__":
    print_table(measure())
