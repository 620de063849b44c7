"""Reloading as an operator asks for it: one after the other, with draining, state and configuration."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from hotplane.errors import (
    ConfigurationError,
    DeclaredInFile,
    NotReloadable,
    PathNotAllowed,
    PluginMisconfigured,
    PluginNeeded,
    PluginReloadFailed,
    PluginStartFailed,
    ReferenceNotAllowed,
    UnknownPlugin,
)
from hotplane.host import PluginStatus
from hotplane.plugins import Validator
from hotplane.records import PluginMetadata, ValidationResult
from tests.integration.reload.conftest import OpenYard, Yard, source

SLOW = """
async def start(self, context):
    import asyncio
    from pathlib import Path
    Path(__file__).with_suffix(".begun").touch()
    while not Path(__file__).with_suffix(".go").exists():
        await asyncio.sleep(0.005)
"""
"""Starts when it is told to."""
GATED = """
import asyncio
gate = asyncio.Event()
entered = asyncio.Event()
"""


def gated(marker: str) -> str:
    """Return a validator whose calls wait for a gate of its own generation."""
    text = source(marker, top=GATED, body="stopped = False\ndef stop(self):\n    type(self).stopped = True")
    return text.replace("def validate", "async def validate").replace(
        "        return Val", "        entered.set(); await gate.wait()\n        return Val"
    )


def plain(directory: Path, text: str = source("one")) -> None:
    """Write the plugin's file."""
    (directory / "marking.py").write_text(text)


async def begun(yard: Yard) -> asyncio.Task[PluginStatus]:
    """Begin a reload to a slow generation, and return it when that is starting."""
    reload = asyncio.create_task(yard.host.plugins.reload("marking"))
    await yard.until(yard.path().with_suffix(".begun").exists)
    return reload


def go(yard: Yard) -> None:
    """Let the slow generation come up."""
    yard.path().with_suffix(".go").touch()


def module_of(yard: Any) -> Any:
    """Return the globals of the generation that serves."""
    plugin = yard.host.registry.resolve(Validator, "marking")
    return type(plugin).validate.__globals__


async def test_a_reload_during_a_reload_is_joined(open_yard: OpenYard, directory: Path) -> None:
    """Ten requests at once: one that has begun, and one for all the others, which sees the last content."""
    plain(directory)
    async with open_yard(watch=False) as yard:
        plain(directory, source("two", body=SLOW))
        first = await begun(yard)
        plain(directory, source("three"))
        others = [asyncio.create_task(yard.host.plugins.reload("marking")) for _ in range(9)]
        await asyncio.sleep(0)  # each has asked
        go(yard)
        await asyncio.gather(first, *others)
        assert [reload.generation for reload in yard.reloads] == [2, 3]
        assert await yard.marker() == "three"


async def test_an_unload_during_a_reload_comes_after_it(open_yard: OpenYard, directory: Path) -> None:
    """Both are done, in order; the plugin ends unloaded, in no chain, and can be started again."""
    plain(directory)
    async with open_yard(watch=False) as yard:
        plain(directory, source("two", body=SLOW))
        reload = await begun(yard)
        stop = asyncio.create_task(yard.host.plugins.stop("marking"))
        await asyncio.sleep(0)  # it is asked for
        go(yard)
        stopped = await stop
        assert (await reload).generation == 2
        assert (stopped.state, (await yard.execute()).validations) == ("unloaded", ())
        assert (await yard.host.plugins.start("marking")).generation == 3


async def test_a_caller_who_goes_away_does_not_stop_the_reload(open_yard: OpenYard, directory: Path) -> None:
    """The reload belongs to the host."""
    plain(directory)
    async with open_yard(watch=False) as yard:
        plain(directory, source("two", body=SLOW))
        caller = await begun(yard)
        caller.cancel()
        go(yard)
        await yard.until_reload("swapped")
        assert await yard.marker() == "two"


async def test_calls_finish_where_they_began_and_the_old_one_is_stopped_after_them(
    open_yard: OpenYard, directory: Path
) -> None:
    """A call on the old generation is seen as draining, answers as that generation, and only then it is stopped."""
    plain(directory, gated("one"))
    async with open_yard(watch=False) as yard:
        old = module_of(yard)
        running = asyncio.create_task(yard.execute())
        await old["entered"].wait()
        plain(directory, source("two"))
        status = await yard.host.plugins.reload("marking")
        assert (status.generation, status.draining, await yard.marker()) == (2, 1, "two")
        assert not old["Marking"].stopped
        old["gate"].set()
        result = (await running).validations[0]
        assert (result.message, result.generation) == ("one", 1)
        await yard.until(lambda: old["Marking"].stopped)
        assert yard.status().draining == 0


async def test_a_drain_that_takes_too_long_is_forced_and_reported(open_yard: OpenYard, directory: Path) -> None:
    """At the limit the old generation is stopped; how many calls were left is said."""
    plain(directory, gated("one"))
    async with open_yard(watch=False, drain_timeout_seconds=0.1) as yard:
        old = module_of(yard)
        running = asyncio.create_task(yard.execute())
        await old["entered"].wait()
        plain(directory, source("two"))
        await yard.host.plugins.reload("marking")
        await yard.until(lambda: old["Marking"].stopped)
        await yard.until(lambda: bool(yard.status().last_reload.abandoned))
        assert yard.status().last_reload.abandoned == 1
        old["gate"].set()
        assert (await running).validations[0].message == "one"


async def test_at_most_two_generations_live(open_yard: OpenYard, directory: Path) -> None:
    """A further reload waits until the generation before the present one is gone."""
    plain(directory, gated("one"))
    async with open_yard(watch=False) as yard:
        old = module_of(yard)
        running = asyncio.create_task(yard.execute())
        await old["entered"].wait()
        plain(directory, source("two"))
        await yard.host.plugins.reload("marking")
        plain(directory, source("three"))
        third = asyncio.create_task(yard.host.plugins.reload("marking"))
        await asyncio.sleep(0.05)
        assert (yard.status().generation, await yard.marker(), third.done()) == (2, "two", False)
        old["gate"].set()
        await running
        assert (await third).generation == 3


async def test_state_is_carried_over(open_yard: OpenYard, directory: Path) -> None:
    """What the old generation exports immediately before the swap is what the new one begins with."""
    counting = (
        "count = 0\n"
        "def export_state(self):\n    return str(self.count).encode()\n"
        "async def import_state(self, state):\n    self.count = int(state)\n"
    )

    def counted(marker: str) -> str:
        text = source(marker, body=counting)
        return text.replace("        return Val", "        self.count += 1\n        return Val").replace(
            f"message='{marker}'", f"message=f'{marker} {{self.count}}'"
        )

    plain(directory, counted("one"))
    async with open_yard(watch=False) as yard:
        assert [await yard.marker() for _ in range(3)] == ["one 1", "one 2", "one 3"]
        plain(directory, counted("two"))
        await yard.host.plugins.reload("marking")
        assert await yard.marker() == "two 4"


async def test_a_failed_reload_is_raised_to_who_asked(open_yard: OpenYard, directory: Path) -> None:
    """The error says why and what serves on; the author's own frames are in the status."""
    plain(directory)
    async with open_yard(watch=False) as yard:
        plain(directory, source("two", top="def fall():\n    raise ValueError('deep')\nfall()"))
        with pytest.raises(PluginReloadFailed, match=r"ValueError: deep.*Generation 1 serves on") as failure:
            await yard.host.plugins.reload("marking")
        assert failure.value.generation == 1
        assert "in fall" in yard.status().last_reload.traceback


TUNED = {
    "top": "class Tuned(Config):\n    word: str = 'default'\n",
    "config": "[Tuned]",
}
RECONFIGURE = (
    "def reconfigure(self, config):\n"
    "    if config.word == 'refused': raise ValueError('not this one')\n"
    "    self.seen = config.word"
)


@pytest.mark.parametrize("body", ["", RECONFIGURE])
async def test_a_configuration_is_changed_while_it_runs(open_yard: OpenYard, directory: Path, body: str) -> None:
    """With a hook the same instance goes on; without, a new generation of the same class takes over. It is kept."""
    text = source("-", **TUNED, body=body).replace("message='-'", "message=self.config.word")
    plain(directory, text)
    async with open_yard(watch=False) as yard:
        assert await yard.marker() == "default"
        status = await yard.host.plugins.reconfigure("marking", {"word": "changed"})
        assert (await yard.marker(), status.generation) == ("changed", 1 if body else 2)
        with pytest.raises(ConfigurationError) as refused:
            await yard.host.plugins.reconfigure("marking", {"word": 7, "wrod": 1})
        assert [problem.pointer for problem in refused.value.problems] == ["/word", "/wrod"]
        assert await yard.marker() == "changed"
    async with open_yard(watch=False) as yard:
        assert await yard.marker() == "changed"
        assert (await yard.host.plugins.reset("marking")).overrides == {}
        assert await yard.marker() == "default"


async def test_a_configuration_that_the_plugin_refuses_is_not_kept(open_yard: OpenYard, directory: Path) -> None:
    """The hook's refusal is the answer, and nothing has changed."""
    plain(directory, source("-", **TUNED, body=RECONFIGURE).replace("message='-'", "message=self.config.word"))
    async with open_yard(watch=False) as yard:
        with pytest.raises(PluginMisconfigured, match="not this one"):
            await yard.host.plugins.reconfigure("marking", {"word": "refused"})
        assert (await yard.marker(), yard.status().overrides) == ("default", {})


async def test_numbers_are_kept_by_version(open_yard: OpenYard, directory: Path) -> None:
    """Generations of one version share their counters; another version has its own."""
    plain(directory)
    async with open_yard(watch=False) as yard:
        await yard.marker()
        plain(directory, source("more"))
        await yard.host.plugins.reload("marking")
        await yard.marker()
        plain(directory, source("two", version="2"))
        await yard.host.plugins.reload("marking")
        await yard.marker()
        seen = [
            (each.version, each.generation, each.live, each.stats.calls) for each in yard.host.plugins.stats("marking")
        ]
        assert seen == [("1", 2, False, 2), ("2", 3, True, 1)]


async def test_a_plugin_that_others_need_is_not_taken_away(open_yard: OpenYard, directory: Path) -> None:
    """Stopping, disabling and removing are refused by name, or take the others along; reloads are checked, too."""
    plain(directory)
    (directory / "upon.py").write_text(source("upon", name="upon", extra=', requires=("marking>=1",)'))
    async with open_yard(watch=False) as yard:
        manager = yard.host.plugins
        for operation in (manager.stop, manager.disable, manager.remove):
            with pytest.raises(PluginNeeded, match="'upon'"):
                await operation("marking")
        plain(directory, source("old", version="0.5"))
        with pytest.raises(PluginReloadFailed, match="'upon' cannot go on with it"):
            await manager.reload("marking")
        await manager.stop("marking", cascade=True)
        assert [yard.status(name).state for name in ("marking", "upon")] == ["unloaded", "unloaded"]
        ends = [yard.status(name).history[-1].at for name in ("upon", "marking")]
        assert ends == sorted(ends)
        with pytest.raises(PluginStartFailed, match="'marking'"):
            await manager.start("upon")
        plain(directory)
        await manager.start("marking")
        await yard.until(lambda: yard.status("upon").state == "active")


async def test_dependencies_start_first_and_stop_last(open_yard: OpenYard, directory: Path) -> None:
    """Whatever names and priorities say; cycles and missing ones are refused by name."""
    plain(directory, source("base"))
    (directory / "a_upon.py").write_text(source("upon", name="a-upon", extra=', requires=("marking",)'))
    (directory / "b_left.py").write_text(source("l", name="b-left", extra=', requires=("b-right",)'))
    (directory / "b_right.py").write_text(source("r", name="b-right", extra=', requires=("b-left",)'))
    (directory / "c_lost.py").write_text(source("l", name="c-lost", extra=', requires=("nothing>=2",)'))
    async with open_yard(watch=False) as yard:
        assert yard.status("a-upon").state == "active"
        assert yard.status("marking").since < yard.status("a-upon").since
        assert "b-left → b-right → b-left" in yard.status("b-left").reason
        assert "'nothing', which is missing" in yard.status("c-lost").reason
        news = yard.host.plugins.subscribe()
    stops = [step.plugin_id async for step in news if getattr(step, "after", "") == "unloading"]
    assert stops.index("a-upon") < stops.index("marking")


async def test_plugins_are_loaded_only_from_where_the_operator_allows(
    open_yard: OpenYard, directory: Path, tmp_path: Path
) -> None:
    """A file in a plugin directory or below an allowed path may be loaded; everything else is refused unread."""
    outside, allowed = tmp_path / "outside.py", tmp_path / "allowed" / "extra.py"
    allowed.parent.mkdir()
    for path in (outside, allowed):
        path.write_text(source("extra", name="extra"))
    async with open_yard(watch=False, paths=[str(allowed.parent)]) as yard:
        manager = yard.host.plugins
        for path in (outside, directory / ".." / "outside.py", directory):
            with pytest.raises(PathNotAllowed, match=r"plugins\.directories"):
                await manager.load_path(path)
        with pytest.raises(ReferenceNotAllowed):
            await manager.load_reference("os:path")
        assert (await manager.load_path(allowed)).state == "active"
        plain(directory)
        assert (await manager.load_path(directory / "marking.py")).generation == 1
        plain(directory, source("two"))
        assert (await manager.load_path(directory / "marking.py")).generation == 2
        await manager.remove("extra")
        with pytest.raises(UnknownPlugin):
            manager.get("extra")


class Given(Validator):
    metadata = PluginMetadata(name="given", version="1")

    def validate(self, execution: Any, context: Any) -> ValidationResult:
        return ValidationResult(valid=True)


async def test_what_cannot_be_removed_or_reloaded_says_so(open_yard: OpenYard, directory: Path) -> None:
    """A plugin of the configuration file is overridden, not removed; an object of the program has no newer code."""
    plain(directory)
    async with open_yard({"name": "marking"}, watch=False) as yard:
        with pytest.raises(DeclaredInFile):
            await yard.host.plugins.remove("marking")
        await yard.host.load(Given())
        with pytest.raises(NotReloadable, match="this very object"):
            await yard.host.plugins.reload("given")
        assert len(await yard.host.plugins.reload_all()) == 4


async def test_an_entry_configures_a_plugin_of_a_directory(open_yard: OpenYard, directory: Path) -> None:
    """Entries name types: two instances of one file, each with its own configuration, reloaded together."""
    plain(directory, source("-", **TUNED).replace("message='-'", "message=self.config.word"))
    entries = [
        {"name": name, "type": "marking", "configuration": {"word": name}, "priority": priority}
        for name, priority in (("left", 2), ("right", 1))
    ]
    async with open_yard(*entries) as yard:
        results = (await yard.execute()).validations
        assert [result.message for result in results] == ["left", "right"]
        plain(directory, source("-", **TUNED).replace("message='-'", "message=self.config.word.upper()"))
        await yard.until_reload("swapped", number=2)
        assert [result.message for result in (await yard.execute()).validations] == ["LEFT", "RIGHT"]


async def test_threads_that_call_the_chain_are_drained_too(open_yard: OpenYard, directory: Path) -> None:
    """A thread on the old generation holds its stop back; one that comes later is sent on to the new one."""
    text = source("one", top="import threading\ngate = threading.Event()\nentered = threading.Event()")
    plain(directory, text.replace("        return Val", "        entered.set(); gate.wait(60)\n        return Val"))
    async with open_yard(watch=False) as yard:
        old, held = module_of(yard), yard.host.registry.chain(Validator)
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.extend(held.run(None, None)))
        thread.start()
        await asyncio.to_thread(old["entered"].wait)
        plain(directory, source("two"))
        status = await yard.host.plugins.reload("marking")
        assert status.draining == 1
        assert held.run(None, None)[0].message == "two"
        old["gate"].set()
        await asyncio.to_thread(thread.join)
        await yard.until(lambda: yard.status().draining == 0)
        assert answers[0].message == "one"
