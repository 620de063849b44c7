"""What follows when a plugin fails, on a clock that the test turns."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hotplane.errors import PluginMisconfigured, PluginStartFailed, RetryLater
from hotplane.host import HostSettings, Manager, PluginSpec, RestartSettings
from hotplane.log import get_logger
from hotplane.plugins import PluginContext, Validator
from hotplane.programs import DaemonThreads
from hotplane.records import PluginMetadata, ValidationResult
from hotplane.registry import Registry
from hotplane.values import Json

EPOCH = datetime(2030, 1, 1, tzinfo=UTC)
SETTINGS = RestartSettings(max_restarts=3, window_seconds=100, delay_seconds=1, max_delay_seconds=8, jitter=0)


class Clock:
    """A clock that stands still until it is turned; sleepers wake when their time has come."""

    def __init__(self) -> None:
        self.time = 0.0
        self._sleepers: dict[asyncio.Task[Any] | None, tuple[float, asyncio.Event]] = {}

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self._sleepers[asyncio.current_task()] = self.time + seconds, (event := asyncio.Event())
        try:
            await event.wait()
        finally:
            del self._sleepers[asyncio.current_task()]

    async def turn(self, seconds: float) -> None:
        await self._rest()
        self.time += seconds
        for due, event in self._sleepers.values():
            if due <= self.time:
                event.set()
        await self._rest()

    async def _rest(self) -> None:
        """Wait until whatever goes on has ended, or sleeps: sync hooks run in real threads."""
        async with asyncio.timeout(60):
            while any(map(self._goes_on, asyncio.all_tasks())):  # noqa: ASYNC110 - a thread tells no event
                await asyncio.sleep(0.001)

    def _goes_on(self, task: asyncio.Task[Any]) -> bool:
        sleeps = task in self._sleepers and not self._sleepers[task][1].is_set()
        return not sleeps and task is not asyncio.current_task()


class Overrides:
    async def set_override(self, plugin_id: str, field: str, value: Json) -> None: ...
    async def reset_override(self, plugin_id: str, field: str | None) -> None: ...


class Flaky(Validator):
    metadata = PluginMetadata(name="flaky", version="1")
    errors: list[BaseException]
    starts = 0

    async def start(self, context: PluginContext) -> None:
        type(self).starts += 1
        if self.errors:
            raise self.errors.pop(0)

    def validate(self, execution: Any, context: Any) -> ValidationResult:
        return ValidationResult(valid=True)


class House:
    """A manager with one plugin, which fails as often as it is told to."""

    def __init__(self, *errors: BaseException, settings: RestartSettings = SETTINGS) -> None:
        self.plugin = type("Flaky", (Flaky,), {"errors": list(errors), "starts": 0})
        self.clock = Clock()
        self.threads = DaemonThreads(max_threads=2)
        self.registry = Registry()
        self.manager = Manager(
            self.registry,
            find_type=lambda name: self.plugin,
            make_context=lambda plugin_id, config: PluginContext(
                plugin_id=plugin_id,
                config=config,
                log=get_logger(),
                clock=self.clock,
                storage=None,  # pyright: ignore[reportArgumentType] - it is not used
                host_version="0.1",
            ),
            overrides=Overrides(),
            offload=self.threads.call,
            settings=HostSettings(start_timeout_seconds=60, stop_timeout_seconds=60),
            host_version="0.1",
            clock=self.clock,
            sleep=self.clock.sleep,
            restart=settings,
        )
        self.manager.add(PluginSpec(id="flaky", type="flaky"))

    @property
    def status(self) -> Any:
        return self.manager.get("flaky")

    async def fail_to_start(self) -> None:
        with pytest.raises(PluginStartFailed):
            await self.manager.start("flaky")


async def test_a_failed_start_is_tried_again_after_its_delay() -> None:
    """While it waits the plugin is failed, says why and when; at that time, and not before, it is started."""
    house = House(OSError("no server"))
    await house.fail_to_start()
    assert (house.status.state, house.status.reason) == ("failed", "OSError: no server")
    assert house.status.retry_at == EPOCH + timedelta(seconds=1)
    await house.clock.turn(0.9)
    assert (house.status.state, house.plugin.starts) == ("failed", 1)
    await house.clock.turn(0.1)
    assert (house.status.state, house.status.retry_at, house.status.restarts) == ("active", None, 1)


async def test_the_last_failure_of_the_window_is_for_good() -> None:
    """N restarts are allowed; failure N+1 ends in failed without a time, and says so."""
    house = House(*(OSError(str(number)) for number in range(9)))
    await house.fail_to_start()
    for delay in (1, 2, 4):
        assert house.status.retry_at == house.clock.now() + timedelta(seconds=delay)
        await house.clock.turn(delay)
    assert (house.status.state, house.status.retry_at, house.plugin.starts) == ("failed", None, 4)
    assert house.status.reason == "OSError: 3; that was failure 4 within 100 s, and 3 are allowed"
    assert next(step.reason for step in house.status.history if step.after == "failed") == "OSError: 0"
    await house.clock.turn(1000)
    assert house.plugin.starts == 4


async def test_an_operator_begins_anew() -> None:
    """A start by hand forgets what was, also after the last failure."""
    house = House(*(OSError(str(number)) for number in range(5)))
    await house.fail_to_start()
    for delay in (1, 2, 4):
        await house.clock.turn(delay)
    assert house.status.retry_at is None
    await house.fail_to_start()
    assert house.status.retry_at == house.clock.now() + timedelta(seconds=1)
    assert (await house.manager.start("flaky")).state == "active"


async def test_retry_later_waits_as_long_as_asked_and_does_not_count() -> None:
    """A plugin may ask for any number of retries."""
    house = House(*(RetryLater(30) for _ in range(10)), settings=SETTINGS)
    await house.fail_to_start()
    for _ in range(10):
        assert house.status.retry_at == house.clock.now() + timedelta(seconds=30)
        await house.clock.turn(30)
    assert (house.status.state, house.plugin.starts) == ("active", 11)


@pytest.mark.parametrize("error", [PluginMisconfigured("set a token"), PluginMisconfigured()])
async def test_a_misconfigured_plugin_waits_for_the_operator(error: PluginMisconfigured) -> None:
    """It is not tried again."""
    house = House(error)
    await house.fail_to_start()
    assert (house.status.state, house.status.retry_at) == ("failed", None)
    assert str(error) in house.status.reason


async def test_a_reported_failure_takes_the_plugin_out_and_restarts_it() -> None:
    """What health checks report takes it out of its chain, stops it, and brings it back after the delay."""
    house = House()
    await house.manager.start("flaky")
    status = await house.manager.report_failure("flaky", "3 checks failed")
    assert (status.state, status.reason, len(house.registry.chain(Validator))) == ("failed", "3 checks failed", 0)
    assert status.retry_at == EPOCH + timedelta(seconds=1)
    await house.clock.turn(1)
    assert (house.status.state, house.status.generation, len(house.registry.chain(Validator))) == ("active", 2, 1)
    await house.manager.stop("flaky")
    assert (await house.manager.report_failure("flaky", "late")).state == "unloaded"


async def test_a_stop_ends_the_waiting() -> None:
    """What an operator stopped while it waited for its restart stays so."""
    house = House(OSError("no server"))
    await house.fail_to_start()
    assert (await house.manager.stop("flaky")).retry_at is None
    await house.clock.turn(100)
    assert (house.status.state, house.plugin.starts) == ("unloaded", 1)


async def test_a_host_that_shuts_down_restarts_nothing() -> None:
    """Neither what waits nor what fails now."""
    house = House(OSError("no server"), OSError("still none"))
    await house.fail_to_start()
    await house.manager.stop_all()
    await house.clock.turn(100)
    assert (house.status.state, house.status.retry_at, house.plugin.starts) == ("unloaded", None, 1)
    await house.fail_to_start()
    assert (house.status.state, house.status.retry_at) == ("failed", None)


async def test_a_temporary_plugin_is_not_restarted() -> None:
    """Its type says so."""
    house = House(OSError("no server"), settings=RestartSettings(type="temporary"))  # pyright: ignore[reportArgumentType]
    await house.fail_to_start()
    assert (house.status.retry_at, "temporary" in house.status.reason) == (None, True)


async def test_a_start_and_a_due_restart_at_once_make_one_plugin() -> None:
    """Both want the same; the later one finds it done."""
    house = House(OSError("no server"))
    await house.fail_to_start()
    house.clock.time = 1.0
    started = asyncio.create_task(house.manager.start("flaky"))
    await house.clock.turn(0)
    assert ((await started).state, house.plugin.starts) == ("active", 2)
