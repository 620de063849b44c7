"""Plugins of installed distributions, required ones, and what a failed call counts as."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotplane.errors import PluginReloadFailed, PluginStartFailed
from hotplane.host.discovery import Origin
from hotplane.log import capture_logs
from tests.integration.reload.conftest import OpenYard, source

FAILING = source("one").replace("        return Val", "        raise ValueError('no judge')\n        return Val")


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[str]:
    """Install a distribution with a plugin, as an unpacked wheel would be, and return the plugin's type."""
    place = tmp_path / "site"
    info = place / "acme_rules-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-rules\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[hotplane.plugins]\nacme-rule = acme_rules_plugin:Marking\n")
    (place / "acme_rules_plugin.py").write_text(source("acme", name="acme-rule", version="1.2"))
    sys.path.append(str(place))
    yield "acme-rule"
    sys.path.remove(str(place))
    sys.modules.pop("acme_rules_plugin", None)


async def test_an_installed_plugin_is_listed_and_loaded_when_it_is_named(open_yard: OpenYard, installed: str) -> None:
    """Its metadata is read without importing; an entry loads it, and then its origin says whose it is."""
    async with open_yard() as yard:
        found = {each.name: each for each in yard.host.plugins.discovery.found}
        assert (found[installed].source, found[installed].distribution) == (Origin.DISTRIBUTION, "acme-rules 1.2")
        assert "acme_rules_plugin" not in sys.modules
        assert all(status.type != installed for status in yard.host.plugins.list())
    async with open_yard({"name": "rule", "type": installed}) as yard:
        assert await yard.marker() == "acme"
        origin = yard.status("rule").origin
        assert (origin.source, origin.distribution) == ("distribution", "acme-rules 1.2")


async def test_installed_plugins_are_loaded_unnamed_where_that_is_wanted(open_yard: OpenYard, installed: str) -> None:
    """`plugins.installed: true` runs each under its own name."""
    async with open_yard(installed=True) as yard:
        assert (yard.status(installed).state, await yard.marker()) == ("active", "acme")


async def test_a_required_plugin_that_does_not_start_stops_the_host(open_yard: OpenYard, directory: Path) -> None:
    """The message names it and why; any other leaves the host running."""
    (directory / "marking.py").write_text(source(body="def start(self, context):\n    raise OSError('no server')"))
    with pytest.raises(PluginStartFailed, match=r"'marking' did not start: .*no server.* marked `required`"):
        async with open_yard({"name": "marking", "required": True}):
            raise AssertionError("it started")
    async with open_yard({"name": "marking"}) as yard:
        assert (yard.status().state, (await yard.execute()).status) == ("failed", "success")


@pytest.mark.parametrize(("on_error", "verdict"), [(None, None), ("closed", None), ("open", True)])
async def test_what_a_failed_validator_counts_as_is_seen_in_the_result(
    open_yard: OpenYard, directory: Path, on_error: str | None, verdict: bool | None
) -> None:
    """Closed by default: not judged. Open: as if it had agreed. The result and the status say which it was."""
    (directory / "marking.py").write_text(FAILING)
    (directory / "second.py").write_text(source("second", name="second"))
    async with open_yard({"name": "marking", "on_error": on_error, "priority": 9}) as yard:
        execution = await yard.execute()
        result = execution.validations[0]
        assert (result.valid, result.message, execution.valid) == (None, "ValueError: no judge", verdict)
        assert result.metadata == {"failed": True, "on_error": on_error or "closed"}
        assert yard.status().on_error == on_error


async def test_an_operators_wish_outweighs_a_files_change_that_waits(open_yard: OpenYard, directory: Path) -> None:
    """Asked for while a file's change is queued, the reload happens also where the files are as before."""
    (directory / "marking.py").write_text(source("one"))
    async with open_yard(watch=False) as yard:
        yard.host.plugins.reload_soon("marking")
        assert (await yard.host.plugins.reload("marking")).generation == 2


async def test_what_has_changed_is_reloaded_when_everything_is(open_yard: OpenYard, directory: Path) -> None:
    """New files are found and changed ones served; what is as it was is left alone."""
    (directory / "marking.py").write_text(source("one"))
    async with open_yard(watch=False) as yard:
        yard.write(source("two"))
        yard.write(source("more", name="more"), "more")
        outcomes = {each.plugin_id: (each.outcome, each.generation) for each in await yard.host.reload_plugins()}
        assert outcomes == {"marking": ("reloaded", 2), "more": ("started", 1)}
        assert yard.status("percentage-sampler").generation == 1
        assert {result.message for result in (await yard.execute()).validations} == {"two", "more"}


async def test_what_is_switched_off_is_left_alone_when_everything_is_reloaded(
    open_yard: OpenYard, directory: Path
) -> None:
    """Its file may have changed; who switched it off did not ask for it."""
    (directory / "marking.py").write_text(source("one"))
    async with open_yard(watch=False) as yard:
        await yard.host.plugins.disable("marking")
        yard.write(source("two"))
        (refreshed,) = await yard.host.reload_plugins()
        assert (refreshed.outcome, refreshed.generation) == ("unchanged", 1)


async def test_a_change_whose_file_is_gone_is_told(open_yard: OpenYard, directory: Path) -> None:
    """A reload that was asked for because of a change fails, and what served serves on."""
    (directory / "marking.py").write_text(source("one"))
    async with open_yard(watch=False) as yard:
        yard.path().unlink()
        with pytest.raises(PluginReloadFailed):
            await yard.host.plugins.reload("marking", "file")
        assert await yard.marker() == "one"


async def test_a_plugin_that_failed_is_removed_with_its_code(open_yard: OpenYard, directory: Path) -> None:
    """No module of it is left behind."""
    (directory / "marking.py").write_text(source(body="def start(self, context):\n    raise OSError('no server')"))
    async with open_yard(watch=False) as yard:
        await yard.until(lambda: yard.status().state == "failed")
        await yard.host.plugins.remove("marking")
        assert [name for name in sys.modules if name.startswith("hotplane_plugins.marking_")] == []


async def test_a_conflict_is_told_once(open_yard: OpenYard, directory: Path) -> None:
    """However often everything is looked at; one that is new is told."""
    for name in ("marking", "twin"):
        (directory / f"{name}.py").write_text(source("one"))
    async with open_yard(watch=False) as yard:
        with capture_logs() as logs:
            for _ in range(2):
                await yard.host.reload_plugins()
            assert [entry for entry in logs if entry["event"] == "plugins.conflict"] == []
            (directory / "triplet.py").write_text(source("one"))
            for _ in range(2):
                await yard.host.reload_plugins()
        (told,) = [entry for entry in logs if entry["event"] == "plugins.conflict"]
        assert "3 plugins are called 'marking'" in told["message"]


async def test_what_was_only_configured_is_removed_with_its_code(open_yard: OpenYard, directory: Path) -> None:
    """Code that was imported to check a configuration serves nobody, and does not stay for ever."""
    (directory / "marking.py").write_text(source("one"))
    async with open_yard(watch=False) as yard:
        await yard.host.plugins.stop("marking")
        await yard.host.plugins.reconfigure("marking", {})
        assert [name for name in sys.modules if name.startswith("hotplane_plugins.marking_")]
        await yard.host.plugins.remove("marking")
        assert [name for name in sys.modules if name.startswith("hotplane_plugins.marking_")] == []
