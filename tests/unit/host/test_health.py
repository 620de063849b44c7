"""The health monitor on a clock that the test turns."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hotplane.errors import UnknownPlugin
from hotplane.host import checks
from hotplane.host.health import HealthMonitor, HealthSettings, HealthState
from hotplane.plugins import Plugin, Validator
from hotplane.programs.threads import DaemonThreads
from hotplane.records import Health, HealthStatus, PluginMetadata, ValidationResult
from hotplane.registry import Registry


class Plain(Validator):
    """A plugin without a health check."""

    metadata = PluginMetadata(name="plain", version="1.0")

    def validate(self, execution: Any, context: Any) -> ValidationResult:
        return ValidationResult(valid=True)


class Checked(Plain):
    """A plugin that answers what the test set, and counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.status = HealthStatus.HEALTHY
        self.asked_at: list[float] = []
        self.time: Time | None = None

    async def check_health(self) -> Health:
        if self.time is not None:
            self.asked_at.append(self.time.seconds)
        return Health(status=self.status, message="as the test says")


class Hanging(Plain):
    """A plugin whose check hangs until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = asyncio.Event()
        self.release = asyncio.Event()

    async def check_health(self) -> Health:
        self.entered.set()
        await self.release.wait()
        return Health(status=HealthStatus.UNHEALTHY, message="late")


class Time:
    """A clock that stands still until it is turned, and the monitor's sleep on it."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.wall = datetime(2026, 1, 1, tzinfo=UTC)
        self.sleeps = 0
        self._resting = asyncio.Event()
        self._wake_at = 0.0
        self._wake = asyncio.Event()

    def now(self) -> datetime:
        return self.wall + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        self._wake_at = self.seconds + seconds
        self._wake.clear()
        self._resting.set()
        await self._wake.wait()

    async def pass_by(self, seconds: float) -> None:
        """Let time go by; the monitor wakes whenever it wanted to."""
        until = self.seconds + seconds
        await self.rest()
        while self._wake_at <= until:
            await self.wake_at(self._wake_at)
        self.seconds = until

    async def wake_at(self, seconds: float) -> None:
        """Wake the monitor at some instant, on time or late, and wait until it sleeps again."""
        self.seconds = max(seconds, self.seconds)
        self._resting.clear()
        self._wake.set()
        await self.rest()

    async def rest(self) -> None:
        """Wait until the monitor sleeps and the checks that need no more than the loop are done."""
        async with asyncio.timeout(20):
            await self._resting.wait()
        for _ in range(5):
            await asyncio.sleep(0)


class Watched:
    """A registry under observation, and what the monitor told."""

    def __init__(
        self, time: Time, threads: DaemonThreads, settings: HealthSettings, chance: Callable[[], float]
    ) -> None:
        self.time = time
        self.registry = Registry()
        self.told: list[str] = []
        self.reasons: list[str] = []
        self.monitor = HealthMonitor(
            lambda: (entry for entry in self.registry.entries() if entry.active),
            settings,
            clock=time,
            offload=threads.call,
            on_unhealthy=self._on_unhealthy,
            on_recovered=lambda plugin_id: self.told.append(f"{plugin_id} recovered"),
            sleep=time.sleep,
            chance=chance,
        )

    def add(self, plugin: Plugin[Any], id: str = "a") -> Any:
        """Plug a plugin in."""
        if isinstance(plugin, Checked):
            plugin.time = self.time
        return self.registry.register(plugin, id=id).plugin

    def state(self, id: str = "a") -> str:
        """Return a plugin's state."""
        return self.monitor.report(id).status.value

    async def check(self, times: int = 1, id: str = "a") -> None:
        """Check a plugin at once, several times."""
        for _ in range(times):
            await self.monitor.check_now(id)

    def _on_unhealthy(self, plugin_id: str, reason: str) -> None:
        self.told.append(f"{plugin_id} unhealthy")
        self.reasons.append(reason)


Watch = Callable[..., Watched]


@pytest.fixture
def threads() -> Iterator[DaemonThreads]:
    """Return a small pool of threads."""
    pool = DaemonThreads(max_threads=2)
    yield pool
    pool.close()


@pytest.fixture
async def watch(threads: DaemonThreads) -> AsyncIterator[Watch]:
    """Return a function that makes a monitor, stopped at the end of the test."""
    made: list[Watched] = []

    def watch(*, chance: Callable[[], float] = lambda: 0.0, **changes: object) -> Watched:
        made.append(Watched(Time(), threads, HealthSettings.model_validate(changes), chance))
        return made[-1]

    yield watch
    for each in made:
        await each.monitor.stop()


async def test_checks_come_at_the_interval(watch: Watch) -> None:
    """A plugin is checked first within the interval, then once per interval."""
    watched = watch(interval_seconds=30, chance=lambda: 0.5)
    plugin = watched.add(Checked())
    watched.monitor.start()
    await watched.time.pass_by(120)
    assert plugin.asked_at == [1015.0, 1045.0, 1075.0, 1105.0]


async def test_first_checks_are_spread(watch: Watch) -> None:
    """Plugins that started together are checked at different instants, now and later."""
    chances = iter(number / 20 for number in range(20))
    watched = watch(interval_seconds=20, chance=lambda: next(chances))
    plugins = [watched.add(Checked(), f"p{number}") for number in range(20)]
    watched.monitor.start()
    await watched.time.pass_by(39.5)
    assert len({at for plugin in plugins for at in plugin.asked_at}) == 40


async def test_a_sleeping_machine_causes_no_burst(watch: Watch) -> None:
    """After an hour's sleep every plugin is checked once, and then at its own turns again."""
    chances = iter([0.0, 0.5])
    watched = watch(interval_seconds=30, chance=lambda: next(chances))
    first, second = watched.add(Checked(), "a"), watched.add(Checked(), "b")
    watched.monitor.start()
    await watched.time.rest()
    await watched.time.wake_at(1000 + 3600 + 7)
    await watched.time.pass_by(40)
    assert first.asked_at == [1000.0, 4607.0, 4630.0]
    assert second.asked_at == [4607.0, 4615.0, 4645.0]


async def test_a_sleeping_machine_causes_no_burst_of_looks_at_calls(watch: Watch) -> None:
    """A plugin without a check is looked at once after the sleep, too."""
    watched = watch(interval_seconds=30)
    watched.add(Plain())
    watched.monitor.start()
    await watched.time.rest()
    await watched.time.wake_at(1000 + 3600)
    assert len(watched.monitor.report("a").history) == 2


async def test_a_replaced_plugin_has_one_plan(watch: Watch) -> None:
    """A new generation has its own turns; those of the old one are dropped."""
    chances = iter([0.0, 0.5])
    watched = watch(interval_seconds=30, chance=lambda: next(chances))
    watched.add(Checked())
    watched.monitor.start()
    await watched.time.rest()
    plugin = Checked()
    plugin.time = watched.time
    watched.registry.swap("a", plugin, generation=2)
    await watched.time.pass_by(80)
    assert plugin.asked_at == [1020.0, 1050.0, 1080.0]


async def test_wall_clock_jumps_do_not_matter(watch: Watch) -> None:
    """Setting the clock of the machine neither hastens nor delays a check."""
    watched = watch(interval_seconds=30)
    plugin = watched.add(Checked())
    watched.monitor.start()
    await watched.time.pass_by(31)
    watched.time.wall -= timedelta(days=400)
    await watched.time.pass_by(31)
    watched.time.wall += timedelta(days=4000)
    await watched.time.pass_by(31)
    assert plugin.asked_at == [1000.0, 1030.0, 1060.0, 1090.0]


async def test_a_new_plugin_is_noticed(watch: Watch) -> None:
    """A plugin that comes later needs no announcement."""
    watched = watch(interval_seconds=30)
    watched.monitor.start()
    await watched.time.pass_by(7)
    plugin = watched.add(Checked())
    await watched.time.pass_by(5)
    assert len(plugin.asked_at) == 1


async def test_a_plugin_that_is_gone_is_not_checked(watch: Watch) -> None:
    """A plugin that was unloaded is left alone."""
    watched = watch(interval_seconds=1)
    plugin = watched.add(Checked())
    watched.monitor.start()
    await watched.time.pass_by(2)
    watched.registry.unregister(Validator, "a")
    await watched.time.pass_by(10)
    assert len(plugin.asked_at) == 3


async def test_a_disabled_monitor_does_nothing(watch: Watch) -> None:
    """With health disabled there is no task and no check, and every plugin is unknown."""
    watched = watch(enabled=False)
    plugin = watched.add(Checked())
    watched.monitor.start()
    await asyncio.sleep(0)
    assert (plugin.asked_at, watched.time.sleeps, watched.state()) == ([], 0, "unknown")


async def test_thresholds_are_told_once(watch: Watch) -> None:
    """The third failure asks for recovery with its reason, the second success tells of it, each once."""
    watched = watch()
    plugin = watched.add(Checked())
    plugin.status = HealthStatus.UNHEALTHY
    await watched.check(2)
    assert watched.told == []
    await watched.check(3)
    assert (watched.told, watched.reasons) == (["a unhealthy"], ["3 times in a row; as the test says"])
    plugin.status = HealthStatus.HEALTHY
    await watched.check(1)
    assert watched.state() == "unhealthy"
    await watched.check(3)
    assert (watched.told, watched.state()) == (["a unhealthy", "a recovered"], "healthy")


async def test_recovery_attempts_add_up_over_instances(watch: Watch) -> None:
    """Each restarted instance that fails again is another attempt, up to the maximum."""
    watched = watch(failure_threshold=1, recovery_attempts=2)
    for _ in range(4):
        watched.add(Checked()).status = HealthStatus.UNHEALTHY
        await watched.check(2)
        watched.registry.unregister(Validator, "a")
        assert watched.monitor.report("a").active is False
    assert watched.told == ["a unhealthy"] * 2
    assert watched.monitor.report("a").recovery_attempts == 2


async def test_a_callback_that_raises_harms_nobody(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recovery that fails at once leaves the monitor at work."""
    watched = watch(failure_threshold=1, interval_seconds=1)
    monkeypatch.setattr(watched.monitor, "_on_unhealthy", lambda *_: 1 / 0)
    bad, good = watched.add(Checked(), "a"), watched.add(Checked(), "b")
    bad.status = HealthStatus.UNHEALTHY
    watched.monitor.start()
    await watched.time.pass_by(5)
    assert (len(good.asked_at), watched.state("a"), watched.state("b")) == (6, "unhealthy", "healthy")


async def test_a_hanging_check_delays_nobody(watch: Watch) -> None:
    """While one plugin's check hangs, the others are checked at their turns, and it has one check at a time."""
    watched = watch(interval_seconds=1, timeout_seconds=60)
    hanging, other = watched.add(Hanging(), "a"), watched.add(Checked(), "b")
    watched.monitor.start()
    await watched.time.pass_by(10)
    assert hanging.entered.is_set()
    assert len(other.asked_at) == 11
    assert sum("hotplane-health-a" in task.get_name() for task in asyncio.all_tasks()) == 1


async def test_a_hanging_check_counts_as_failed(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that does not answer within its time is a failure like any other."""
    # Else a machine that stands still meanwhile passes for a blocked loop, which is no failure.
    monkeypatch.setattr(checks, "_OVERRUN_SECONDS", 3600)
    watched = watch(timeout_seconds=0.02, failure_threshold=2)
    watched.add(Hanging())
    await watched.check(2)
    assert (watched.told, watched.state()) == (["a unhealthy"], "unhealthy")


async def test_a_late_answer_of_an_old_generation_is_dropped(watch: Watch) -> None:
    """What a replaced instance answers says nothing about the one that serves."""
    watched = watch(failure_threshold=1)
    old = watched.add(Hanging())
    asking = asyncio.create_task(watched.check())
    await old.entered.wait()
    watched.registry.swap("a", Checked(), generation=2)
    old.release.set()
    await asking
    assert (watched.told, watched.monitor.report("a").history) == ([], ())


async def test_the_check_of_an_old_generation_is_cancelled(watch: Watch) -> None:
    """A check that hangs ends with its instance, and the new one is checked at once."""
    watched = watch(timeout_seconds=60)
    old = watched.add(Hanging())
    asking = asyncio.create_task(watched.check())
    await old.entered.wait()
    watched.registry.swap("a", Checked(), generation=2)
    await watched.check()
    await asyncio.wait_for(asking, 20)
    assert watched.monitor.report("a").consecutive_successes == 1


async def test_an_old_generation_is_let_go(watch: Watch) -> None:
    """The monitor does not keep a replaced instance alive, not even while it sleeps."""
    watched = watch(interval_seconds=1)
    gone = weakref.ref(watched.add(Checked()))
    watched.monitor.start()
    await watched.time.pass_by(3)
    watched.registry.swap("a", Checked(), generation=2)
    gc.collect()
    assert gone() is None


async def test_plugins_without_a_check_are_judged_by_their_calls(watch: Watch) -> None:
    """A plugin without `check_health` is healthy while its calls succeed, and ill when they keep failing."""
    watched = watch(failure_threshold=2, interval_seconds=30)
    watched.add(Plain())
    stats = watched.registry.entry("a").stats
    watched.monitor.start()
    await watched.time.pass_by(1)
    assert watched.state() == "healthy"
    for _ in range(2):
        for _ in range(50):
            stats.errors += 1
            stats.observe(1000)
        await watched.time.pass_by(30)
    assert watched.reasons == ["2 times in a row; 50 of 50 calls failed"]
    await watched.time.pass_by(60)
    assert watched.told == ["a unhealthy", "a recovered"]


async def test_failing_calls_outweigh_a_good_check(watch: Watch) -> None:
    """A plugin that says it is well while its calls fail is not believed."""
    watched = watch(failure_threshold=1)
    watched.add(Checked())
    watched.monitor.summary()
    stats = watched.registry.entry("a").stats
    stats.errors += 20
    for _ in range(20):
        stats.observe(1000)
    await watched.check()
    assert (watched.state(), watched.reasons) == ("unhealthy", ["1 times in a row; 20 of 20 calls failed"])


async def test_check_now_joins_the_check_that_runs(watch: Watch) -> None:
    """Two who ask at once get one check, and both see its result."""
    watched = watch(timeout_seconds=60)
    plugin = watched.add(Hanging())
    asking = [asyncio.create_task(watched.monitor.check_now("a")) for _ in range(2)]
    await plugin.entered.wait()
    plugin.release.set()
    assert [report.consecutive_failures for report in await asyncio.gather(*asking)] == [1, 1]


async def test_check_now_of_an_unknown_plugin(watch: Watch) -> None:
    """Asking for a plugin that there is not says so."""
    with pytest.raises(UnknownPlugin, match="'a'"):
        await watch().monitor.check_now("a")


async def test_a_plugin_that_left_is_forgotten_after_an_hour(watch: Watch) -> None:
    """What is known of a plugin that is not active stays for an hour, not for ever."""
    watched = watch()
    watched.add(Checked())
    await watched.check()
    watched.registry.unregister(Validator, "a")
    assert watched.monitor.report("a").active is False
    watched.time.seconds += 3599
    assert watched.state() == "healthy"
    watched.time.seconds += 1
    with pytest.raises(UnknownPlugin):
        watched.monitor.report("a")


async def test_forget(watch: Watch) -> None:
    """A plugin that was removed for good begins anew when it returns."""
    watched = watch(failure_threshold=1)
    watched.add(Checked()).status = HealthStatus.UNHEALTHY
    await watched.check()
    watched.registry.unregister(Validator, "a")
    watched.monitor.forget("a")
    watched.add(Checked())
    assert watched.state() == "unknown"


async def test_switching_a_plugin_keeps_its_history(watch: Watch) -> None:
    """Disabling, enabling and moving a plugin in its chain are not a new instance."""
    watched = watch()
    watched.add(Checked())
    await watched.check(2)
    watched.registry.update("a", enabled=False, priority=7)
    assert len(watched.monitor.report("a").history) == 2


async def test_summary_and_states(watch: Watch) -> None:
    """The summary covers all active plugins, worst first."""
    watched = watch(failure_threshold=1)
    watched.add(Checked(), "a")
    watched.add(Checked(), "b").status = HealthStatus.UNHEALTHY
    await watched.check(id="a")
    await watched.check(id="b")
    assert [line.plugin_id for line in watched.monitor.summary().plugins] == ["b", "a"]
    assert watched.monitor.states() == {"a": HealthState.HEALTHY, "b": HealthState.UNHEALTHY}


async def test_stop_ends_every_task(watch: Watch) -> None:
    """After `stop` neither the scheduler nor a check is left, and what is known can be read."""
    watched = watch(interval_seconds=1, timeout_seconds=60)
    plugin = watched.add(Hanging())
    watched.monitor.start()
    await plugin.entered.wait()
    await watched.monitor.stop()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("hotplane-health")]
    assert watched.state() == "unknown"


async def test_stop_and_start_again(watch: Watch) -> None:
    """A monitor can be started again after it was stopped; starting twice is starting once."""
    watched = watch(interval_seconds=10)
    plugin = watched.add(Checked())
    watched.monitor.start()
    watched.monitor.start()
    await watched.time.rest()
    await watched.monitor.stop()
    watched.monitor.start()
    await watched.time.pass_by(10)
    assert plugin.asked_at == [1000.0, 1010.0]


async def test_a_failing_iteration_is_survived(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while looking around is logged, and the next round goes on."""
    watched = watch(interval_seconds=1)
    plugin = watched.add(Checked())
    targets = watched.monitor._targets
    monkeypatch.setattr(watched.monitor, "_targets", lambda: 1 / 0)
    watched.monitor.start()
    await watched.time.rest()
    monkeypatch.setattr(watched.monitor, "_targets", targets)
    await watched.time.pass_by(6)
    assert plugin.asked_at
