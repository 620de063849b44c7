"""New files that are seen before they are whole: their plugins end under the name that they declare."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotplane.errors import PluginStartFailed
from tests.integration.reload.conftest import OpenYard, Yard, source


def ids(yard: Yard) -> set[str]:
    """Return the plugins that come from the directory."""
    return {status.id for status in yard.host.plugins.list() if status.source == "directory"}


def is_in(yard: Yard, name: str, state: str) -> bool:
    """Tell whether a plugin is listed, in this state."""
    return name in ids(yard) and yard.status(name).state == state


async def half(yard: Yard, text: str = "") -> None:
    """Write what is not a plugin yet, and wait until the host has seen it."""
    yard.write(text, "half")
    await yard.until(lambda: is_in(yard, "half", "failed"))


@pytest.mark.parametrize("begun", ["", source("one")[:150]])
@pytest.mark.parametrize("watch", [True, "polling"])
async def test_it_has_the_name_it_declares_when_it_is_whole(open_yard: OpenYard, begun: str, watch: object) -> None:
    """Empty or cut off it is listed under its file's name, and no more once it says another."""
    async with open_yard(watch=watch) as yard:
        await half(yard, begun)
        yard.write(source("one"), "half")
        await yard.until(lambda: is_in(yard, "marking", "active"))
        assert (ids(yard), await yard.marker()) == ({"marking"}, "one")
        yard.write(source("two"), "half")
        await yard.until_reload("swapped")
        assert (ids(yard), yard.status().generation) == ({"marking"}, 2)


async def test_it_is_the_same_plugin_when_it_declares_its_files_name(open_yard: OpenYard) -> None:
    """Its first good edit starts it where it stands, with the history of how it got there."""
    async with open_yard() as yard:
        await half(yard)
        yard.write(source("one", name="half"), "half")
        await yard.until(lambda: is_in(yard, "half", "active"))
        assert [step.after for step in yard.status("half").history][-3:] == ["failed", "loading", "active"]


async def test_an_empty_name_is_none(open_yard: OpenYard) -> None:
    """It stays under its file's name, with the reason that its metadata gives."""
    async with open_yard() as yard:
        await half(yard)
        yard.write(source("one", name=""), "half")
        reload = await yard.until_reload("failed")
        assert "by now" not in reload.reason
        assert is_in(yard, "half", "failed")


async def test_a_package_has_the_name_it_declares_when_it_is_whole(open_yard: OpenYard, directory: Path) -> None:
    """Its folder comes first, and what it is called much later."""
    (directory / "half").mkdir()
    (directory / "half" / "__init__.py").touch()
    async with open_yard() as yard:
        assert is_in(yard, "half", "failed")
        (directory / "half" / "__init__.py").write_text(source("one"))
        await yard.until(lambda: is_in(yard, "marking", "active"))
        assert ids(yard) == {"marking"}


async def test_what_was_changed_on_the_declared_name_holds(open_yard: OpenYard, directory: Path) -> None:
    """An operator's wish is for the plugin of that name, whatever file it comes from."""
    (directory / "marking.py").write_text(source("one"))
    async with open_yard() as yard:
        await yard.host.plugins.set_priority("marking", 77)
    (directory / "marking.py").unlink()
    async with open_yard() as yard:
        await half(yard)
        yard.write(source("one"), "half")
        await yard.until(lambda: is_in(yard, "marking", "active"))
        assert yard.status().priority == 77


@pytest.mark.parametrize(
    ("name", "words"), [("health", "The id 'health' is reserved"), ("marking", "2 plugins are called 'marking'")]
)
async def test_a_name_that_it_cannot_have_is_refused(
    open_yard: OpenYard, directory: Path, caplog: pytest.LogCaptureFixture, name: str, words: str
) -> None:
    """It is left out and says why, as if it had come whole; the next edit is looked at again."""
    (directory / "marking.py").write_text(source("good"))
    async with open_yard() as yard:
        await half(yard)
        yard.write(source("other", name=name), "half")
        await yard.until(lambda: words in caplog.text)
        await yard.until(lambda: ids(yard) == {"marking"})
        assert (yard.status().generation, await yard.marker()) == (1, "good")
        yard.write(source("other", name="free"), "half")
        await yard.until(lambda: is_in(yard, "free", "active"))


async def test_what_has_served_keeps_its_id(open_yard: OpenYard, directory: Path) -> None:
    """An edit of the name is an edit of a plugin that others know by its id, also after a failure."""
    (directory / "marking.py").write_text(source("one"))
    async with open_yard() as yard:
        yard.write(source("two", name="renamed"))
        await yard.until_reload("swapped")
        await yard.host.plugins.report_failure("marking", "it does not work")
        yard.write(source("three", name="again", version="3"))
        await yard.until(lambda: is_in(yard, "marking", "active") and yard.status().version == "3")
        assert (ids(yard), await yard.marker()) == ({"marking"}, "three")


async def test_what_an_operator_stopped_is_not_started_under_another_name(open_yard: OpenYard) -> None:
    """Stopped means stopped."""
    async with open_yard() as yard:
        await half(yard)
        await yard.host.plugins.stop("half")
        yard.write(source("one"), "half")
        yard.write(source("other", name="other"), "other")
        await yard.until(lambda: is_in(yard, "other", "active"))
        assert (ids(yard), yard.status("half").state) == ({"half", "other"}, "unloaded")


async def test_what_an_operator_changed_keeps_its_id(open_yard: OpenYard) -> None:
    """The change was for a plugin of this name, and is not lost with it."""
    async with open_yard() as yard:
        await half(yard)
        await yard.host.plugins.set_priority("half", 77)
        yard.write(source("one"), "half")
        await yard.until(lambda: is_in(yard, "half", "active"))
        assert (ids(yard), yard.status("half").priority) == ({"half"}, 77)


async def test_without_watching_a_look_at_everything_finds_the_name(open_yard: OpenYard, directory: Path) -> None:
    """Started by itself it would have the wrong name, and the refusal says what helps."""
    (directory / "half.py").touch()
    async with open_yard(watch=False) as yard:
        yard.write(source("one"), "half")
        with pytest.raises(PluginStartFailed, match="declares the name 'marking'"):
            await yard.host.plugins.start("half")
        outcomes = {each.plugin_id: each.outcome for each in await yard.host.reload_plugins()}
        assert outcomes == {"half": "removed", "marking": "started"}
        assert await yard.marker() == "one"
