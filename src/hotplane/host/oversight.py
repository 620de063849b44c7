"""What looks at a host's plugins from outside: health monitor, watchdog and metrics, started and stopped as one.

Imports only `plugins`, `registry`, `errors`, `log` and its own room; `app` makes one for each host.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from hotplane.errors import HotplaneError, UnknownPlugin
from hotplane.host.attribution import PluginFrames
from hotplane.host.exposition import Family, Sample
from hotplane.host.health import HealthMonitor, HealthSettings
from hotplane.host.health_report import HealthReport, HealthState
from hotplane.host.manager import Manager
from hotplane.host.metrics import PluginMetrics
from hotplane.host.watchdog import Watchdog, WatchdogSettings
from hotplane.log import get_logger
from hotplane.plugins import Clock, Plugin
from hotplane.registry import Entry, Offload, Registry

__all__ = ["Oversight"]

_LAST_SECONDS = 1.0
"""For a recovery to be broken off; a plugin's code may not let it."""


class Oversight:
    """Watches the plugins of one host, and hands what is found to the manager: recovery is the supervisor's.

    Args:
        registry: What is plugged in.
        manager: Takes plugins out of service that are not healthy, and tells of changes.
        health: How often plugins are checked, and what follows.
        watchdog: When the event loop counts as blocked.
        clock: Of intervals and reports.
        offload: Runs sync checks.
    """

    def __init__(
        self,
        registry: Registry,
        manager: Manager,
        *,
        health: HealthSettings,
        watchdog: WatchdogSettings,
        clock: Clock,
        offload: Offload,
    ) -> None:
        self._registry = registry
        self._manager = manager
        self._clock = clock
        self._recovering: set[asyncio.Task[None]] = set()
        self._log = get_logger()
        self.health = HealthMonitor(
            self._active,
            health,
            clock=clock,
            offload=offload,
            on_unhealthy=self._recover,
            on_change=manager.tell_health,
        )
        self.watchdog = Watchdog(watchdog, PluginFrames(registry.entries))
        self.metrics = PluginMetrics(
            registry.entries, clock.monotonic, restarts=self._restarts, health=self.health.states
        )

    def start(self) -> None:
        """Begin to watch, in the running loop."""
        self.health.start()
        self.watchdog.start(asyncio.get_running_loop())

    async def stop(self) -> None:
        """Watch no more; call it before the plugins are stopped, lest that looks like a failure."""
        await self.health.stop()
        self.watchdog.stop()
        for task in self._recovering:
            task.cancel()
        if self._recovering:
            await asyncio.wait(self._recovering, timeout=_LAST_SECONDS)

    def report(self, plugin_id: str) -> HealthReport:
        """Return a plugin's health; of one that was not active within the last hour, that nothing is known.

        Raises:
            UnknownPlugin: There is no such plugin.
        """
        status = self._manager.get(plugin_id)
        try:
            return self.health.report(plugin_id)
        except UnknownPlugin:
            return HealthReport.unknown(plugin_id, status.since)

    async def check(self, plugin_id: str) -> HealthReport:
        """Look at a plugin at once; one that is not active is only reported.

        Raises:
            UnknownPlugin: There is no such plugin.
        """
        self._manager.get(plugin_id)
        try:
            return await self.health.check_now(plugin_id)
        except UnknownPlugin:
            return self.report(plugin_id)

    def is_healthy(self, plugin_id: str) -> bool:
        """Tell whether a plugin is active, and nothing speaks against it; one that was not looked at yet counts."""
        return self.health.states().get(plugin_id, HealthState.UNHEALTHY) is not HealthState.UNHEALTHY

    def families(self) -> Iterator[Family]:
        """Yield all metrics of plugins and of the event loop."""
        yield from self.metrics.collect()
        stats = self.watchdog.stats()
        yield Family(
            name="hotplane_loop_blockages_total",
            help="How often the event loop did not answer in time.",
            type="counter",
            samples=(Sample(stats.blockages),),
        )
        yield Family(
            name="hotplane_loop_blocked_seconds_total",
            help="How long the event loop was blocked, all blockages together.",
            type="counter",
            samples=(Sample(stats.seconds),),
        )

    def _active(self) -> Iterator[Entry]:
        return (entry for entry in self._registry.entries() if entry.active)

    def _restarts(self, plugin_id: str) -> int:
        try:
            return self._manager.get(plugin_id).restarts
        except UnknownPlugin:  # plugged into the registry by the embedding program itself
            return 0

    def _recover(self, plugin_id: str, reason: str) -> None:
        plugin = self._registry.resolve(Plugin, plugin_id)
        if plugin is not None and plugin.recovers_itself:
            return  # restarting it would only use up its restarts
        task = asyncio.create_task(self._report_failure(plugin_id, reason), name=f"hotplane-recover-{plugin_id}")
        self._recovering.add(task)
        task.add_done_callback(self._recovering.discard)

    async def _report_failure(self, plugin_id: str, reason: str) -> None:
        try:
            await self._manager.report_failure(plugin_id, f"its health: {reason}")
        except HotplaneError as error:
            self._log.warning("health.recovery_failed", plugin=plugin_id, reason=str(error))
