"""Disks that answer late or not at all, while the host looks for plugins: the limit of one import is not theirs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import DistributionFinder
from pathlib import Path
from threading import Event, current_thread

import pytest

from hotplane.errors import PluginsUnreadable
from tests.integration.reload.conftest import OpenYard, source


class SlowDisk(DistributionFinder):
    """A place of installed packages that answers at once, or only when it is released or `seconds` have passed."""

    def __init__(self) -> None:
        self.released = Event()
        self.released.set()
        self.seconds = 60.0
        self.looks = 0
        self.quick = 0
        """Looks that are answered at once in any case."""
        self.then: Callable[[], None] = lambda: None
        """Called in the last of them."""

    def find_spec(self, name, path=None, target=None):
        return None

    def find_distributions(self, context=None):
        if current_thread().name.startswith("hotplane-plugin"):
            self.looks += 1
            if self.looks == self.quick:
                self.then()
            if self.looks > self.quick:
                self.released.wait(self.seconds)
        return iter(())


Limit = Callable[[float], None]


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Limit:
    """Return what sets the limit of a look, in seconds."""
    return lambda seconds: monkeypatch.setattr("hotplane.host.survey.SURVEY_SECONDS", seconds)


@pytest.fixture
def disk() -> Iterator[SlowDisk]:
    """Return a disk that answers at once so far."""
    found = SlowDisk()
    sys.meta_path.append(found)
    yield found
    sys.meta_path.remove(found)
    found.released.set()


async def test_what_is_installed_may_take_longer_than_an_import(open_yard: OpenYard, disk: SlowDisk) -> None:
    """At the start and when the files are looked at again: the limit of imports is for a single plugin's code."""
    disk.seconds = 0.3
    disk.released.clear()
    async with open_yard(import_timeout_seconds=0.05, watch=False, samplers=[]) as yard:
        assert await yard.host.reload_plugins() == ()
    assert disk.looks == 4


@pytest.mark.parametrize(
    ("quick", "words"),
    [
        (0, "^The metadata of the installed distributions could not"),
        (1, "^The plugin directories .*plugins, or"),
    ],
    ids=["what is installed", "what lies in directories"],
)
async def test_a_host_whose_plugins_cannot_be_read_says_so(
    open_yard: OpenYard, disk: SlowDisk, limit: Limit, quick: int, words: str
) -> None:
    """It does not start without them: the error names what could not be read, and what to do."""
    limit(60.0 if quick else 0.2)
    disk.quick, disk.then = quick, lambda: limit(0.2)
    disk.released.clear()
    with pytest.raises(PluginsUnreadable, match=words) as refusal:
        async with open_yard():
            pass
    assert "could not be read within 0.2 s. See that the file systems" in str(refusal.value)


async def test_a_running_host_reloads_what_it_knows_all_the_same(
    open_yard: OpenYard,
    directory: Path,
    disk: SlowDisk,
    limit: Limit,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What cannot be read is a warning each; a known plugin's edit is served, and the caller is told of it."""
    (directory / "marking.py").write_text(source("one"))
    async with open_yard(watch=False) as yard:
        yard.write(source("two"))
        limit(0.1)
        disk.released.clear()
        (reloaded,) = await yard.host.reload_plugins()
        assert (reloaded.outcome, await yard.marker()) == ("reloaded", "two")
    warned = [
        record.getMessage() for record in caplog.records if "could not be read within 0.1 s" in record.getMessage()
    ]
    assert [message.split()[0] for message in warned] == ["plugins.directory", "plugins.installed"]


async def test_what_was_read_too_late_is_looked_at_again(
    open_yard: OpenYard, disk: SlowDisk, limit: Limit, caplog: pytest.LogCaptureFixture
) -> None:
    """A new file whose look was given up is taken in when the disk answers, without another change."""
    disk.quick = 2  # the third look is the watch's own, at its beginning: no other may find the file
    disk.then = lambda: limit(0.2)
    disk.released.clear()
    async with open_yard() as yard:
        await yard.until(lambda: "could not be read within 0.2 s" in caplog.text)
        limit(0.1)
        yard.write(source("late"))
        await yard.until(lambda: "could not be read within 0.1 s" in caplog.text)
        limit(60.0)
        disk.released.set()
        await yard.until(lambda: any(status.id == "marking" for status in yard.host.plugins.list()))
        await yard.until(lambda: yard.status().state == "active")
