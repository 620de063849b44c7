"""What follows from a plugin's health."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from hotplane.errors import UnknownPlugin
from hotplane.host.health_settings import HealthSettings
from hotplane.host.oversight import Oversight
from hotplane.host.watchdog import WatchdogSettings
from hotplane.log import capture_logs
from hotplane.records import Health, HealthStatus, PluginMetadata, PluginState
from tests.unit.host.test_manager import Base, Clock, House, Plain


class Ill(Base):
    """Is ill at every look."""

    metadata = PluginMetadata(name="ill", version="1")

    def check_health(self) -> Health:
        return Health(status=HealthStatus.UNHEALTHY, message="a cold")


class Tough(Ill):
    """Helps itself."""

    metadata = PluginMetadata(name="tough", version="1")
    recovers_itself = True


class Leisurely(Ill):
    """Takes its time to stop."""

    metadata = PluginMetadata(name="leisurely", version="1")
    stopping: asyncio.Event
    may_stop: asyncio.Event

    async def stop(self) -> None:
        self.stopping.set()
        await self.may_stop.wait()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Return a manager with plugins that are ill."""
    made = House(Ill, Tough, Leisurely, Plain)
    yield made
    await made.manager.stop_all()
    made.threads.close()


def overseeing(house: House) -> Oversight:
    """Return what watches over a manager's plugins: one failed look is enough."""
    health = HealthSettings(enabled=False, failure_threshold=1, timeout_seconds=60)
    return Oversight(
        house.registry, house.manager, health=health, watchdog=WatchdogSettings(), clock=Clock(),
        offload=house.threads.call,
    )  # fmt: skip


async def test_an_ill_plugin_is_taken_out_unless_it_helps_itself(house: House) -> None:
    """Restarting one that recovers by itself would only use up its restarts."""
    oversight = overseeing(house)
    for plugin_id in ("ill", "tough"):
        house.add(plugin_id)
        await house.manager.start(plugin_id)
        await oversight.check(plugin_id)
    await asyncio.gather(*oversight._recovering)
    assert house.manager.get("ill").state is PluginState.FAILED
    assert "a cold" in (house.manager.get("ill").reason or "")
    assert house.manager.get("tough").state is PluginState.ACTIVE
    await oversight.stop()


async def test_of_a_plugin_that_does_not_run_nothing_is_known(house: House) -> None:
    """It is reported, not checked; one that is not there is neither."""
    house.add("plain")
    oversight = overseeing(house)
    assert (await oversight.check("plain")).status == "unknown"
    with pytest.raises(UnknownPlugin):
        await oversight.check("nobody")


async def test_plugins_of_the_embedding_program_have_no_restarts(house: House) -> None:
    """The manager does not know them; when they are ill, that is told, and nothing else can be done."""
    house.registry.register(Ill(), id="theirs")
    oversight = overseeing(house)
    assert any(family.name == "hotplane_loop_blockages_total" for family in oversight.families())
    with capture_logs() as logs:
        await oversight.health.check_now("theirs")
        await asyncio.gather(*oversight._recovering)
    assert "health.recovery_failed" in [entry["event"] for entry in logs]


async def test_a_recovery_that_is_under_way_is_broken_off_at_the_end(house: House) -> None:
    """Stopping the host does not wait for a plugin that is being restarted."""
    Leisurely.stopping, Leisurely.may_stop = asyncio.Event(), asyncio.Event()
    house.add("leisurely")
    await house.manager.start("leisurely")
    oversight = overseeing(house)
    oversight.start()
    await oversight.check("leisurely")
    await asyncio.wait_for(Leisurely.stopping.wait(), 60)
    (recovery,) = oversight._recovering
    async with asyncio.timeout(60):
        await oversight.stop()
    Leisurely.may_stop.set()
    assert recovery.cancelled()
