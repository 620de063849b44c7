"""The manager: plugins come, go and are switched in a running host."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from pydantic import BaseModel

from hotplane.errors import DuplicatePlugin, IllegalTransition, PluginStartFailed, UnknownPlugin, UnknownType
from hotplane.host import HostSettings, Manager, PluginNews, PluginSpec, Reload, RestartSettings, Transition
from hotplane.log import get_logger
from hotplane.plugins import Config, Plugin, PluginContext, Validator
from hotplane.programs import DaemonThreads
from hotplane.records import PluginMetadata, PluginState, ValidationResult
from hotplane.registry import Registry
from hotplane.values import Json


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class Memory:
    """Overrides, and a plugin's key/value, in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Json] = {}

    async def set_override(self, plugin_id: str, field: str, value: Json) -> None:
        self.kept[plugin_id, field] = value

    async def reset_override(self, plugin_id: str, field: str | None) -> None:
        gone = {key for key in self.kept if key[0] == plugin_id and field in (None, key[1])}
        self.kept = {key: value for key, value in self.kept.items() if key not in gone}

    def overrides_of(self, plugin_id: str) -> dict[str, Json]:
        return {field: value for (plugin, field), value in self.kept.items() if plugin == plugin_id}

    async def get(self, key: str) -> Json:
        return None

    async def set(self, key: str, value: Json) -> None: ...
    async def delete(self, key: str) -> None: ...


PATIENT = {f"{step}_timeout_seconds": 60 for step in ("start", "health", "stop")}
LATE = RestartSettings(delay_seconds=3600, max_delay_seconds=3600, window_seconds=86_400)
"""What failed stays so while a test looks, however slow the machine is."""


class House:
    """A manager with everything real around it."""

    def __init__(self, *types: type[Plugin[Any]], **limits: float) -> None:
        self.types = {each.metadata.name: each for each in types}
        self.threads = DaemonThreads(max_threads=4, max_stuck=4, queue_limit=10)
        self.registry = Registry(offload=self.threads.call)
        self.memory = Memory()
        self.steps: list[Transition] = []
        self.reloads: list[Reload] = []
        self.manager = Manager(
            self.registry,
            find_type=self.find,
            make_context=self.context,
            overrides=self.memory,
            offload=self.threads.call,
            settings=HostSettings.model_validate({**PATIENT, **limits}),
            host_version="0.1",
            clock=Clock(),
            on_news=self.note,
            restart=LATE,
        )

    def note(self, news: PluginNews) -> None:
        if isinstance(news, Transition):
            self.steps.append(news)
        elif isinstance(news, Reload):
            self.reloads.append(news)

    def find(self, name: str) -> type[Plugin[Any]]:
        if name not in self.types:
            raise UnknownType(name, self.types)
        return self.types[name]

    def context(self, plugin_id: str, config: BaseModel) -> PluginContext:
        return PluginContext(
            plugin_id=plugin_id, config=config, log=get_logger(), clock=Clock(), storage=self.memory, host_version="0.1"
        )

    def add(self, name: str, **fields: Any) -> None:
        given: dict[str, Any] = {"id": name, "type": name, **fields}
        self.manager.add(PluginSpec(**given))

    @property
    def chain(self) -> list[str]:
        return [link.plugin_id for link in self.registry.chain(Validator).links]


class Base(Validator):
    def validate(self, execution: Any, context: Any) -> ValidationResult:
        return ValidationResult(valid=True)


class Plain(Base):
    metadata = PluginMetadata(name="plain", version="1.2")


class Limits(Config):
    words: list[str]
    most: int = 3


class Configured(Base):
    metadata = PluginMetadata(name="configured", version="1")
    Config = Limits
    seen: PluginContext | None = None

    def start(self, context: PluginContext) -> None:
        self.seen = context


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Return a manager that knows two types."""
    made = House(Plain, Configured)
    yield made
    await made.manager.stop_all()
    made.threads.close()


async def test_a_plugin_goes_from_unloaded_to_active_and_back(house: House) -> None:
    """Start loads it and puts it into its chain; stop takes it out, keeps its place and says why."""
    house.add("plain")
    assert house.manager.get("plain").state is PluginState.UNLOADED
    started = await house.manager.start("plain")
    assert (started.state, started.version, started.generation, house.chain) == ("active", "1.2", 1, ["plain"])
    stopped = await house.manager.stop("plain")
    assert (stopped.state, stopped.reason, house.chain) == ("unloaded", "stopped by an operator", [])
    assert [step.after for step in house.steps] == ["loading", "active", "unloading", "unloaded"]


async def test_configuration_is_typed_and_given_to_start(house: House) -> None:
    """The configuration is read by the plugin's own model, PascalCase keys too, before start runs."""
    house.add("configured", configuration={"Words": ["a"], "most": 5})
    await house.manager.start("configured")
    plugin = house.registry.resolve(Configured, "configured")
    assert plugin is not None
    assert plugin.config == Limits(words=["a"], most=5)
    assert plugin.seen is not None
    assert plugin.seen.config is plugin.config


async def test_every_error_of_a_bad_configuration_is_named_with_its_path(house: House) -> None:
    """A configuration that does not fit fails before start, with all its errors."""
    house.add("configured", configuration={"most": "many", "wrods": []})
    with pytest.raises(PluginStartFailed) as failure:
        await house.manager.start("configured")
    assert all(part in str(failure.value) for part in ("/words", "/most", "/wrods"))
    assert house.manager.get("configured").state is PluginState.FAILED


async def test_a_failed_plugin_can_be_started_again(house: House) -> None:
    """A failure is no dead end: the next start is allowed and counts as a new generation."""
    house.add("late")
    with pytest.raises(PluginStartFailed, match="no plugin type 'late'"):
        await house.manager.start("late")
    house.types["late"] = Plain
    assert (await house.manager.start("late")).state is PluginState.ACTIVE


async def test_starting_twice_and_stopping_twice_do_no_harm(house: House) -> None:
    """Operations that find their goal reached leave everything as it is."""
    house.add("plain")
    await house.manager.start("plain")
    assert (await house.manager.start("plain")).generation == 1
    await house.manager.stop("plain")
    assert (await house.manager.stop("plain")).state is PluginState.UNLOADED


async def test_a_restart_makes_a_new_instance(house: House) -> None:
    """Nothing of the old instance is used again."""
    house.add("plain")
    await house.manager.start("plain")
    before = house.registry.resolve(Validator, "plain")
    assert (await house.manager.restart("plain")).generation == 2
    assert house.registry.resolve(Validator, "plain") is not before


async def test_operations_on_one_plugin_queue(house: House) -> None:
    """Ten operations at once run one after the other; no illegal step is tried."""
    house.add("plain")
    operations = [house.manager.start, house.manager.stop, house.manager.restart] * 3
    await asyncio.gather(*(operation("plain") for operation in operations))
    assert all(a.after is b.before for a, b in pairwise(house.steps))
    assert house.manager.get("plain").state is PluginState.ACTIVE


async def test_disabling_takes_effect_at_once_and_is_kept(house: House) -> None:
    """A plugin disabled at run time is active but in no chain; the switch is stored."""
    house.add("plain")
    await house.manager.start("plain")
    status = await house.manager.disable("plain")
    assert (status.state, status.enabled, house.chain) == ("active", False, [])
    assert house.memory.kept == {("plain", "enabled"): False}
    assert (await house.manager.enable("plain")).enabled
    assert house.chain == ["plain"]


async def test_what_is_disabled_at_start_is_never_looked_for(house: House) -> None:
    """A plugin disabled at start stays unloaded, its type is not even resolved; enabling it loads it."""
    house.add("plain", enabled=False)
    house.add("missing", enabled=False)
    await house.manager.start_all()
    assert [house.manager.get(name).reason for name in ("plain", "missing")] == ["disabled", "disabled"]
    assert (await house.manager.enable("plain")).state is PluginState.ACTIVE


async def test_overrides_win_over_the_specification_and_can_be_reset(house: House) -> None:
    """What an operator changed before holds from the start, is shown, and is forgotten on reset."""
    house.manager.add(PluginSpec(id="plain", type="plain", priority=1), {"priority": 50})
    assert (await house.manager.start("plain")).priority == 50
    assert dict(house.manager.get("plain").overrides) == {"priority": 50}
    assert (await house.manager.reset("plain")).priority == 1
    assert house.registry.entry("plain").priority == 1


async def test_priority_moves_a_plugin_within_its_chain(house: House) -> None:
    """A changed priority re-orders the chain at once."""
    for name in "ab":
        house.add(name, type="plain")
        await house.manager.start(name)
    await house.manager.set_priority("b", 9)
    assert house.chain == ["b", "a"]


async def test_a_plugin_in_the_wrong_group_is_refused(house: House) -> None:
    """A validator that is configured as a sampler fails with both words."""
    house.add("plain", kind="sampler")
    with pytest.raises(PluginStartFailed, match="is a validator, but is configured as a sampler"):
        await house.manager.start("plain")


async def test_ids_are_unique_and_unknown_ones_get_a_suggestion(house: House) -> None:
    """A second plugin with the same id is refused; a misspelt id names the closest one."""
    house.add("plain")
    with pytest.raises(DuplicatePlugin):
        house.add("plain")
    with pytest.raises(UnknownPlugin, match="did you mean 'plain'"):
        house.manager.get("plian")


async def test_a_removed_plugin_is_forgotten(house: House) -> None:
    """Removing unloads it, and its id is free again."""
    house.add("plain")
    await house.manager.start("plain")
    await house.manager.remove("plain")
    with pytest.raises(UnknownPlugin):
        house.manager.get("plain")
    house.add("plain")


class Hanging(Base):
    metadata = PluginMetadata(name="hanging", version="1")
    entered = asyncio.Event()

    async def start(self, context: PluginContext) -> None:
        self.entered.set()
        await asyncio.Event().wait()


class Stubborn(Base):
    metadata = PluginMetadata(name="stubborn", version="1")

    async def stop(self) -> None:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue


class Blocking(Base):
    metadata = PluginMetadata(name="blocking", version="1")
    released = threading.Event()

    def start(self, context: PluginContext) -> None:
        self.released.wait(60)


class Exiting(Base):
    metadata = PluginMetadata(name="exiting", version="1")

    def start(self, context: PluginContext) -> None:
        raise SystemExit(3)


class Crashing(Base):
    metadata = PluginMetadata(name="crashing", version="1")

    def stop(self) -> None:
        raise RuntimeError("it is stuck")


async def test_a_start_that_hangs_fails_at_its_limit() -> None:
    """An async start that never ends is cancelled at the limit; the reason names plugin, hook and limit."""
    house = House(Hanging, start_timeout_seconds=0.05)
    house.add("hanging", instance=Hanging())  # its constructor would need a thread within the limit
    with pytest.raises(PluginStartFailed, match=r"'hanging' took longer than 0.05 s in start"):
        await house.manager.start("hanging")
    assert house.manager.get("hanging").state is PluginState.FAILED


async def test_a_sync_start_that_blocks_does_not_block_the_host() -> None:
    """A sync start runs in a thread, is abandoned at the limit and counted as stuck."""
    house = House(Blocking, start_timeout_seconds=0.05)
    Blocking.released.clear()
    house.add("blocking", instance=Blocking())
    with pytest.raises(PluginStartFailed):
        await house.manager.start("blocking")
    assert house.threads.stuck == 1
    Blocking.released.set()


async def test_a_plugin_that_exits_does_not_end_the_host() -> None:
    """SystemExit in a hook is the plugin's failure."""
    house = House(Exiting)
    house.add("exiting")
    with pytest.raises(PluginStartFailed, match="SystemExit"):
        await house.manager.start("exiting")


@pytest.mark.parametrize("cls", [Stubborn, Crashing])
async def test_a_stop_that_fails_or_hangs_is_forced(cls: type[Base]) -> None:
    """An unload never is a dead end: the plugin is out, says what happened, and can be started again."""
    house = House(cls, stop_timeout_seconds=0.05)
    house.add(cls.metadata.name)
    await house.manager.start(cls.metadata.name)
    stopped = await house.manager.stop(cls.metadata.name)
    assert stopped.state is PluginState.UNLOADED
    assert "was forced" in (stopped.reason or "")
    assert (await house.manager.start(cls.metadata.name)).state is PluginState.ACTIVE


async def test_one_bad_plugin_does_not_keep_the_others_from_starting() -> None:
    """start_all goes on after a failure, unless the plugin is marked required."""
    house = House(Exiting, Plain)
    house.add("exiting")
    house.add("plain")
    await house.manager.start_all()
    assert [house.manager.get(name).state for name in ("exiting", "plain")] == ["failed", "active"]
    strict = House(Exiting)
    strict.add("exiting", required=True)
    with pytest.raises(PluginStartFailed, match=r"marked `required`\.$") as caught:
        await strict.manager.start_all()
    assert str(caught.value).count("did not start") == 1


async def test_a_cancelled_start_leaves_a_usable_state() -> None:
    """A caller that goes away in the middle of a start leaves `failed`, from which a start is allowed."""
    Hanging.entered = asyncio.Event()
    house = House(Hanging)
    house.add("hanging")
    starting = asyncio.create_task(house.manager.start("hanging"))
    await Hanging.entered.wait()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert house.manager.get("hanging").state is PluginState.FAILED
    house.types["hanging"] = Plain
    assert (await house.manager.start("hanging")).state is PluginState.ACTIVE


def test_an_illegal_step_names_what_is_allowed() -> None:
    """The refusal helps: it lists the states that may follow."""
    assert "Allowed from here: loading" in str(IllegalTransition("p", "unloaded", "active", ["loading"]))
