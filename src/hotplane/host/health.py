"""The health monitor: looks at every active plugin again and again, and says when one turns bad or good.

Imports only `plugins`, `registry`, `errors`, `log` and its own room; never the manager, which does the recovery. A
registration owns its check and the monitor only iterates: plugins that come and go need not be announced.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping

from hotplane.errors import UnknownPlugin
from hotplane.host.health_record import Turn
from hotplane.host.health_report import HealthChange, HealthReport, HealthState, HealthSummary, summarize
from hotplane.host.health_settings import HealthSettings, PassiveSettings
from hotplane.host.observed import HealthTarget, Observed, Surroundings
from hotplane.log import get_logger
from hotplane.plugins import Clock
from hotplane.registry import Offload

__all__ = [
    "HealthMonitor",
    "HealthReport",
    "HealthSettings",
    "HealthState",
    "HealthSummary",
    "HealthTarget",
    "PassiveSettings",
]

_LOOK_AROUND_SECONDS = 5.0
"""The longest that the monitor sleeps, so that it notices new plugins."""
_REMEMBERED_SECONDS = 3600.0
"""How long a plugin that is not active is remembered, so that its recovery attempts add up."""


class HealthMonitor:
    """Observes active plugins: calls their `check_health`, and looks at the errors of their calls.

    One look at a plugin is one observation. It failed when the check raised, took too long, said unhealthy or returned
    no `Health`, or when the calls speak against the plugin (see `Evidence`). A plugin without a check is healthy
    unless its calls say otherwise. All methods belong to the thread of the event loop.

    Args:
        targets: Returns the plugins that are active now.
        settings: How often, and the thresholds.
        clock: Intervals use its monotonic side; only reports have wall-clock times.
        offload: Runs sync checks.
        on_unhealthy: Asked to recover a plugin, with the reason: when the failure threshold is reached, and again when
            an instance that took the place reaches it too, at most `recovery_attempts` times. It must not block.
        on_recovered: Told once when an unhealthy plugin has reached the recovery threshold.
        on_change: Told of every change of a plugin's state, before the two above.
        sleep: Sleeps for so many seconds.
        chance: Returns a number in [0, 1) for the jitter.
    """

    def __init__(
        self,
        targets: Callable[[], Iterable[HealthTarget]],
        settings: HealthSettings,
        *,
        clock: Clock,
        offload: Offload,
        on_unhealthy: Callable[[str, str], None],
        on_recovered: Callable[[str], None] | None = None,
        on_change: Callable[[HealthChange], None] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._targets = targets
        self._settings = settings
        self._clock = clock
        self._on_unhealthy = on_unhealthy
        self._on_recovered = on_recovered
        self._on_change = on_change
        self._sleep = sleep
        self._chance = chance
        self._around = Surroundings(settings, clock, offload, self._look_around, self._turn, self._changed)
        self._observed: dict[str, Observed] = {}
        self._due: dict[str, float] = {}
        self._schedule: list[tuple[float, str]] = []
        self._scheduler: asyncio.Task[None] | None = None
        self._log = get_logger()

    # --- reading -----------------------------------------------------------------------------------------

    def report(self, plugin_id: str) -> HealthReport:
        """Return one plugin's health; of one that is not active, what was last known of it.

        Raises:
            UnknownPlugin: It is not active, and has not been within the last hour.
        """
        self._look_around()
        return self._known(plugin_id).report()

    def reports(self) -> tuple[HealthReport, ...]:
        """Return the health of every active plugin, by id."""
        return tuple(self._observed[plugin_id].report() for plugin_id in sorted(self._look_around()))

    def summary(self) -> HealthSummary:
        """Return the health of all active plugins at a glance, worst first."""
        return summarize(self.reports())

    def states(self) -> Mapping[str, HealthState]:
        """Return the state of every active plugin by id; cheap, for metrics."""
        return {plugin_id: self._observed[plugin_id].state for plugin_id in self._look_around()}

    async def check_now(self, plugin_id: str) -> HealthReport:
        """Observe a plugin at once, or wait for the check that runs; it counts like any other observation.

        Raises:
            UnknownPlugin: As `report` does; one that is known but not active is only reported.
        """
        target = self._look_around().get(plugin_id)
        observed = self._known(plugin_id)
        checking = observed.observe(target) if target is not None else None
        if checking is not None:
            await asyncio.wait([checking])
        return observed.report()

    def forget(self, plugin_id: str) -> None:
        """Drop what is known of a plugin that was removed."""
        observed = self._observed.pop(plugin_id, None)
        self._due.pop(plugin_id, None)
        if observed is not None:
            observed.leave()

    # --- life --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to observe, in a task of the running loop; nothing happens where the settings disable it."""
        if self._settings.enabled and self._scheduler is None:
            self._scheduler = asyncio.create_task(self._run(), name="hotplane-health")

    async def stop(self) -> None:
        """End the task and every check; what is known can still be reported."""
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None:
            scheduler.cancel()
            await asyncio.wait([scheduler])
        await asyncio.gather(*(observed.end() for observed in self._observed.values()))

    async def _run(self) -> None:
        while True:
            try:
                wait = self._begin_due()
            except Exception:
                self._log.exception("health.monitor_failed")
                wait = _LOOK_AROUND_SECONDS
            await self._sleep(wait)

    # --- when to look ------------------------------------------------------------------------------------

    def _begin_due(self) -> float:
        """Observe who is due; return the seconds until somebody else is, at most `_LOOK_AROUND_SECONDS`."""
        present = self._look_around()
        now = self._clock.monotonic()
        for plugin_id in self._take_due(now):
            observed = self._observed.get(plugin_id)  # a callback of one before may have removed it
            if observed is not None:
                observed.observe(present[plugin_id])
        next_due = self._schedule[0][0] if self._schedule else math.inf
        return min(_LOOK_AROUND_SECONDS, next_due - now)

    def _take_due(self, now: float) -> list[str]:
        taken = list[str]()
        while self._schedule and self._schedule[0][0] <= now:
            due, plugin_id = heapq.heappop(self._schedule)
            if self._due.get(plugin_id) == due:  # else the plan was changed
                self._plan(plugin_id, self._next_turn(due, now))
                taken.append(plugin_id)
        return taken

    def _next_turn(self, due: float, now: float) -> float:
        # Turns that were missed, because the process or its machine slept, are left out and not made up for; the
        # distance to the other plugins' turns stays.
        interval = self._settings.interval_seconds
        return due + interval * (math.floor((now - due) / interval) + 1)

    def _plan(self, plugin_id: str, due: float) -> None:
        self._due[plugin_id] = due
        heapq.heappush(self._schedule, (due, plugin_id))

    # --- who is there ------------------------------------------------------------------------------------

    def _look_around(self) -> Mapping[str, HealthTarget]:
        """Notice who came, went, or was replaced; return the active plugins by id."""
        present = {target.id: target for target in self._targets()}
        for target in present.values():
            self._notice(target)
        for plugin_id in self._observed.keys() - present.keys():
            self._miss(plugin_id)
        return present

    def _notice(self, target: HealthTarget) -> None:
        observed = self._observed.get(target.id)
        if observed is None:
            observed = self._observed[target.id] = Observed(target.id, self._around)
        if not observed.serves(target):
            observed.take(target)
            delay = self._settings.interval_seconds * self._settings.jitter * self._chance()
            self._plan(target.id, self._clock.monotonic() + delay)

    def _miss(self, plugin_id: str) -> None:
        observed = self._observed[plugin_id]
        if observed.gone_since is None:
            observed.leave()
            self._due.pop(plugin_id, None)
        elif self._clock.monotonic() - observed.gone_since >= _REMEMBERED_SECONDS:
            del self._observed[plugin_id]

    def _known(self, plugin_id: str) -> Observed:
        try:
            return self._observed[plugin_id]
        except KeyError:
            raise UnknownPlugin(plugin_id, self._observed) from None

    # --- what follows ------------------------------------------------------------------------------------

    def _changed(self, change: HealthChange) -> None:
        try:
            if self._on_change is not None:
                self._on_change(change)
        except Exception:
            self._log.exception("health.callback_failed", plugin=change.plugin_id)

    def _turn(self, plugin_id: str, turn: Turn, reason: str) -> None:
        log = self._log.bind(plugin=plugin_id)
        try:
            if turn is Turn.RECOVERED:
                log.info("health.recovered")
                if self._on_recovered is not None:
                    self._on_recovered(plugin_id)
            elif turn is Turn.UNHEALTHY:
                log.warning("health.unhealthy", reason=reason)
                self._on_unhealthy(plugin_id, reason)
            else:
                log.error("health.recovery_exhausted", reason=reason, attempts=self._settings.recovery_attempts)
        except Exception:  # a recovery that fails must not end the watch over the other plugins
            log.exception("health.callback_failed")
