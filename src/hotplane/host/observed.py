"""One plugin under observation: its check in a task, its calls' errors, and what both come to.

Imports only `plugins`, `registry` and its own room; never the monitor, which says when to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from hotplane.host.checks import Answer, Probe
from hotplane.host.evidence import Evidence
from hotplane.host.health_record import HealthRecord, Turn
from hotplane.host.health_report import CheckResult, HealthChange, HealthReport, HealthState, worse
from hotplane.host.health_settings import HealthSettings
from hotplane.host.hooks import has_hook
from hotplane.plugins import Clock, Plugin
from hotplane.registry import Offload, PluginStats

__all__ = ["HealthTarget", "Observed", "Surroundings"]


class HealthTarget(Protocol):
    """An active plugin; the registry's entries are such."""

    @property
    def id(self) -> str:
        """The plugin's id."""
        ...

    @property
    def plugin(self) -> Plugin[Any]:
        """The instance that serves; its `check_health` is the check."""
        ...

    @property
    def stats(self) -> PluginStats:
        """Its counters, which the generations of one version share."""
        ...

    @property
    def generation(self) -> int:
        """Its number; with the counters it tells an instance from the one before."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all observed plugins share."""

    settings: HealthSettings
    clock: Clock
    offload: Offload
    look_around: Callable[[], object]
    """Notices whether instances were replaced meanwhile."""
    on_turn: Callable[[str, Turn, str], None]
    """Told of a plugin's id, what an observation led to, and why."""
    on_change: Callable[[HealthChange], None]


@dataclass(slots=True)
class _Instance:
    """What belongs to the instance that serves. Of the plugin itself nothing is kept, or it could not be collected."""

    stats: PluginStats
    generation: int
    probe: Probe
    evidence: Evidence
    checking: asyncio.Task[None] | None = None


class Observed:
    """One plugin, over all its instances."""

    def __init__(self, plugin_id: str, around: Surroundings) -> None:
        self.plugin_id = plugin_id
        self.gone_since: float | None = None
        """Monotonic seconds; null while an instance serves."""
        self._around = around
        self._record = HealthRecord(plugin_id, around.settings, around.clock.now())
        self._instance: _Instance | None = None

    @property
    def state(self) -> HealthState:
        """What the observations come to."""
        return self._record.state

    def serves(self, target: HealthTarget) -> bool:
        """Tell whether this instance is the one under observation."""
        known = self._instance
        return known is not None and known.stats is target.stats and known.generation == target.generation

    def take(self, target: HealthTarget) -> None:
        """Begin to observe an instance; the check of the one before is given up."""
        self.leave()
        settings = self._around.settings
        probe = Probe(self._around.offload, settings.timeout_seconds)
        evidence = Evidence(settings.passive, target.stats, self._around.clock.monotonic())
        self._instance = _Instance(target.stats, target.generation, probe, evidence)
        self.gone_since = None
        self._record.renew()

    def leave(self) -> None:
        """Stop observing: nothing serves."""
        if self._instance is not None and self._instance.checking is not None:
            self._instance.checking.cancel()
        self._instance = None
        self.gone_since = self._around.clock.monotonic()

    def observe(self, target: HealthTarget) -> asyncio.Task[None] | None:
        """Look at the plugin; return the task of its check, which may run since earlier, or None when all is done."""
        instance = self._instance
        if instance is None:
            return None
        if not has_hook(target.plugin, "check_health"):
            self._conclude(instance, CheckResult(at=self._around.clock.now(), status=HealthState.HEALTHY))
            return None
        if instance.checking is None:
            name = f"hotplane-health-{self.plugin_id}"
            instance.checking = asyncio.create_task(self._check(instance, target.plugin), name=name)
        return instance.checking

    async def end(self) -> None:
        """Cancel the check that runs, and wait for it to end."""
        checking = self._instance.checking if self._instance is not None else None
        if checking is not None:
            checking.cancel()
            await asyncio.wait([checking])

    def report(self) -> HealthReport:
        """Return what can be seen from outside."""
        return self._record.report(active=self._instance is not None)

    async def _check(self, instance: _Instance, plugin: Plugin[Any]) -> None:
        try:
            clock = self._around.clock
            at, began = clock.now(), clock.monotonic()
            answer = await instance.probe.ask(plugin)
            seconds = clock.monotonic() - began
            self._around.look_around()
            if self._instance is instance:  # else it is the answer of one that serves no more
                self._record.details = answer.details
                self._conclude(instance, _result(answer, at, seconds))
        finally:
            instance.checking = None

    def _conclude(self, instance: _Instance, result: CheckResult) -> None:
        """Add what the calls say, and tell what the observation led to."""
        status, sentence = instance.evidence.look(self._around.clock.monotonic())
        result = worse(result, status, sentence)
        before = self._record.state
        turn = self._record.observe(result)
        if self.state is not before:
            self._around.on_change(
                HealthChange(
                    plugin_id=self.plugin_id,
                    before=before,
                    after=self.state,
                    reason=result.message,
                    at=self._record.since,
                )
            )
        if turn is not None:
            self._around.on_turn(self.plugin_id, turn, f"{self._record.failures} times in a row; {result.message}")


def _result(answer: Answer, at: datetime, seconds: float) -> CheckResult:
    return CheckResult(at=at, status=answer.status, message=answer.message, duration_ms=seconds * 1e3)
