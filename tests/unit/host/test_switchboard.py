"""Switching plugins that are not active: what is changed holds from their next start on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from hotplane.errors import NotReloadable, PluginMisconfigured, PluginStartFailed
from hotplane.host import Disabled, PluginSpec
from hotplane.records import PluginState
from tests.unit.host.test_manager import Base, Configured, House, Limits, Plain


class Adaptable(Base):
    """Takes another configuration in while it runs."""

    metadata = Configured.metadata
    Config = Limits

    def reconfigure(self, config: Any) -> None:
        if config.most < 0:
            raise ValueError("that is too few")


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Return a manager that knows two types, with a plugin of the first."""
    made = House(Plain, Configured)
    made.add("plain")
    yield made
    await made.manager.stop_all()
    made.threads.close()


async def test_what_is_disabled_before_it_starts_does_not_start(house: House) -> None:
    """It says that it is disabled, and comes when it is enabled."""
    disabled = await house.manager.disable("plain")
    assert (disabled.state, disabled.reason) == (PluginState.UNLOADED, "disabled")
    await house.manager.start_all()
    assert house.manager.get("plain").state is PluginState.UNLOADED
    assert (await house.manager.enable("plain")).state is PluginState.ACTIVE


async def test_what_failed_is_not_tried_again_once_it_is_disabled(house: House) -> None:
    """The supervisor's next try is off."""
    house.add("late")
    with pytest.raises(PluginStartFailed):
        await house.manager.start("late")
    disabled = await house.manager.disable("late")
    assert (disabled.state, disabled.enabled, disabled.retry_at) == (PluginState.FAILED, False, None)


async def test_a_priority_is_kept_for_a_plugin_that_does_not_run(house: House) -> None:
    """It has it when it starts; after a reset it has that of the file."""
    assert (await house.manager.set_priority("plain", 7)).priority == 7
    assert (await house.manager.start("plain")).priority == 7
    await house.manager.stop("plain")
    await house.manager.reset("plain")
    assert (await house.manager.start("plain")).priority == 0


async def test_a_configuration_is_checked_although_the_plugin_does_not_run(house: House) -> None:
    """What does not fit is refused at once; what fits holds from the next start on."""
    house.add("configured", configuration={"words": []})
    with pytest.raises(Exception, match="/words"):
        await house.manager.reconfigure("configured", {"words": 3})
    assert (await house.manager.reconfigure("configured", {"words": ["a"]})).state is PluginState.UNLOADED
    await house.manager.start("configured")
    plugin = house.registry.resolve(Configured, "configured")
    assert plugin is not None
    assert plugin.config == Limits(words=["a"])


async def test_an_object_of_the_program_takes_a_configuration_by_its_hook_alone(house: House) -> None:
    """There is no class to make another one of; one that objects keeps what it had."""
    house.manager.add(PluginSpec(id="given", type="configured", instance=Configured(Limits(words=[]))))
    house.manager.add(PluginSpec(id="hooked", type="configured", instance=Adaptable(Limits(words=[]))))
    for plugin_id in ("given", "hooked"):
        await house.manager.start(plugin_id)
    with pytest.raises(NotReloadable, match="gave this very object"):
        await house.manager.reconfigure("given", {"words": ["a"]})
    await house.manager.reconfigure("hooked", {"words": ["a"]})
    with pytest.raises(PluginMisconfigured, match="that is too few"):
        await house.manager.reconfigure("hooked", {"words": [], "most": -1})
    plugin: Any = house.registry.resolve(Adaptable, "hooked")
    assert plugin.config.words == ["a"]


async def test_another_spec_holds_as_far_as_it_is_wanted(house: House) -> None:
    """A plugin that is not wanted any more is disabled, one that is wanted again is started."""
    stored: list[bool] = []

    async def keep() -> None:
        stored.append(True)

    spec = house.manager.wanted("plain").spec
    off = await house.manager.revise("plain", replace(spec, enabled=False), {}, keep)
    assert (off.enabled, off.state) == (False, PluginState.UNLOADED)
    on = await house.manager.revise("plain", replace(spec, priority=4), {}, keep)
    assert (on.enabled, on.state, on.priority, stored) == (True, PluginState.ACTIVE, 4, [True, True])


GONE = Disabled(reason="the receiver is gone", at=datetime(2026, 1, 1, tzinfo=UTC))


async def test_what_the_host_disables_says_why(house: House) -> None:
    """Also to a later host, which reads what was kept; it is no change that an operator made."""
    status = await house.manager.disable("plain", because=GONE)
    assert (status.enabled, status.disabled, status.overrides) == (False, GONE, {"enabled": False})
    later = House(Plain)
    later.manager.add(PluginSpec(id="plain", type="plain"), house.memory.overrides_of("plain"))
    assert later.manager.get("plain").disabled == GONE
    later.threads.close()


@pytest.mark.parametrize("step", ["enable", "disable", "reset"])
async def test_an_operator_has_the_last_word(house: House, step: str) -> None:
    """Whatever they do, the host's reason is no longer shown, and no longer kept."""
    await house.manager.disable("plain", because=GONE)
    await getattr(house.manager, step)("plain")
    await house.manager.disable("plain")
    assert house.manager.get("plain").disabled is None
    assert "disabled" not in house.memory.overrides_of("plain")
