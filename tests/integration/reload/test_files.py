"""What happens to files: edits of every sort, seen by the real watcher."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from tests.integration.reload.conftest import PATIENCE, OpenYard, Yard, source


@pytest.fixture
def one(directory: Path) -> None:
    """Put a plugin into the directory before the host starts."""
    (directory / "marking.py").write_text(source("one"))


pytestmark = pytest.mark.usefixtures("one")


async def until_marker(yard: Yard, marker: str) -> None:
    """Wait until the validator that serves says `marker`."""
    async with asyncio.timeout(PATIENCE):
        while await yard.marker() != marker:  # noqa: ASYNC110 - it polls what users see
            await asyncio.sleep(0.01)


async def test_an_edit_is_served_and_every_result_says_by_whom(open_yard: OpenYard) -> None:
    """After an edit the new generation answers; results name version and generation."""
    async with open_yard() as yard:
        before = (await yard.execute()).validations[0]
        yard.write(source("two", version="2"))
        reload = await yard.until_reload("swapped")
        after = (await yard.execute()).validations[0]
        assert (before.message, before.version, before.generation) == ("one", "1", 1)
        assert (after.message, after.version, after.generation) == ("two", "2", 2)
        assert (reload.generation, reload.version, reload.sha256) == (2, "2", yard.status().origin.sha256)


async def test_an_edit_of_the_same_size_in_the_same_second_is_seen(open_yard: OpenYard) -> None:
    """Neither size nor time tells the versions apart, and still each one is served; back and forth, too."""
    async with open_yard() as yard:
        stamp = yard.path().stat()
        for marker in ("two", "six", "two"):
            yard.write(source(marker))
            os.utime(yard.path(), ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
            assert yard.path().stat().st_size == stamp.st_size
            await until_marker(yard, marker)


async def test_a_file_replaced_by_an_editor_is_one_reload(open_yard: OpenYard) -> None:
    """A temporary file renamed over the old one, as editors do, is an edit like any other."""
    async with open_yard() as yard:
        new = yard.directory / ".marking.py.swp"
        new.write_text(source("two"))
        new.replace(yard.path())
        await until_marker(yard, "two")
        assert yard.status().generation == 2
        assert [status.id for status in yard.host.plugins.list() if status.source == "directory"] == ["marking"]


async def test_a_file_moved_away_and_written_anew_is_an_edit(open_yard: OpenYard) -> None:
    """Editors that keep a copy leave a moment without the file; the plugin serves through it."""
    async with open_yard() as yard:
        yard.path().rename(yard.directory / "marking.py~")
        assert await yard.marker() == "one"
        yard.write(source("two"))
        await until_marker(yard, "two")
        assert not yard.status().origin.missing


async def test_a_file_written_in_two_halves_is_served_when_it_is_whole(open_yard: OpenYard) -> None:
    """The first half is not taken for a version, however long the second one takes."""
    async with open_yard() as yard:
        text = source("two")
        with yard.path().open("w") as file:
            file.write(text[:150])
            file.flush()
            await yard.until_reload("failed")
            assert await yard.marker() == "one"
            file.write(text[150:])
        await until_marker(yard, "two")
        assert yard.status().generation == 2


async def test_three_edits_in_a_tenth_of_a_second(open_yard: OpenYard) -> None:
    """They give one or two reloads, and the last content wins."""
    async with open_yard(watch_debounce_ms=500) as yard:
        for marker in ("two", "three", "four"):
            yard.write(source(marker))
            await asyncio.sleep(0.033)
        await until_marker(yard, "four")
        assert 1 <= len(yard.reloads) <= 2
        assert yard.status().generation <= 3


async def test_a_deleted_file_leaves_its_last_generation_serving(open_yard: OpenYard) -> None:
    """The status says that the file is gone; written again unchanged, it is the same generation."""
    async with open_yard() as yard:
        yard.path().unlink()
        await yard.until(lambda: yard.status().origin.missing)
        assert (yard.status().state, await yard.marker()) == ("active", "one")
        yard.write(source("one"))
        await yard.until(lambda: not yard.status().origin.missing)
        assert yard.status().generation == 1
        yard.write(source("two"))
        await until_marker(yard, "two")


async def test_a_renamed_file_goes_on_under_the_same_id(open_yard: OpenYard) -> None:
    """The id comes from the metadata: the new place is taken over, and edits there are seen."""
    async with open_yard() as yard:
        yard.path().rename(yard.path("elsewhere"))
        await yard.until(lambda: yard.status().origin.path == str(yard.path("elsewhere")))
        assert await yard.marker() == "one"
        yard.write(source("two"), "elsewhere")
        await until_marker(yard, "two")


async def test_a_new_file_is_loaded_and_a_bad_new_file_is_explained(open_yard: OpenYard) -> None:
    """What appears is taken in; what cannot be used is listed as failed until its file goes."""
    async with open_yard() as yard:
        yard.write(source("more", name="more"), "more")
        await yard.until(lambda: any(status.id == "more" for status in yard.host.plugins.list()))
        await yard.until(lambda: yard.status("more").state == "active")
        yard.write("import nothing_like_this\nclass Bad: pass", "bad")
        await yard.until(lambda: any(s.id == "bad" and s.state == "failed" for s in yard.host.plugins.list()))
        assert "nothing_like_this" in (yard.status("bad").reason or "")
        yard.path("bad").unlink()
        await yard.until(lambda: all(status.id != "bad" for status in yard.host.plugins.list()))


async def test_a_failed_plugin_comes_up_with_its_first_good_edit(open_yard: OpenYard, directory: Path) -> None:
    """A file that is bad from the start needs no operator once it is mended."""
    (directory / "marking.py").write_text(source("one", body="1 / 0"))
    async with open_yard() as yard:
        assert yard.status().state == "failed"
        yard.write(source("two"))
        await yard.until(lambda: yard.status().state == "active")
        assert (await yard.marker(), yard.status().generation) == ("two", 1)


async def test_what_an_operator_stopped_is_not_started_by_an_edit(open_yard: OpenYard) -> None:
    """Stopped means stopped."""
    async with open_yard() as yard:
        await yard.host.plugins.stop("marking")
        yard.write(source("two"))
        yard.write(source("other", name="other"), "other")
        await yard.until(lambda: any(s.id == "other" and s.state == "active" for s in yard.host.plugins.list()))
        assert yard.status().state == "unloaded"


async def test_a_package_is_reloaded_as_a_whole(open_yard: OpenYard, directory: Path) -> None:
    """An edit of a submodule makes a new generation of all modules, with relative and absolute self-imports."""
    package = directory / "pack"
    package.mkdir()
    (package / "words.py").write_text("WORD = 'first'\n")
    (package / "more.py").write_text("from pack.words import WORD\nfrom . import words\nassert words.WORD is WORD\n")
    text = source("-", name="pack", top="from .more import WORD").replace("message='-'", "message=WORD")
    (package / "__init__.py").write_text(text)
    async with open_yard() as yard:
        await yard.host.plugins.stop("marking")
        assert await yard.marker() == "first"
        (package / "words.py").write_text("WORD = 'second'\n")
        await until_marker(yard, "second")
        assert yard.status("pack").generation == 2


async def test_polling_sees_edits_too(open_yard: OpenYard) -> None:
    """For file systems that tell nothing."""
    async with open_yard(watch="polling") as yard:
        yard.write(source("two"))
        await until_marker(yard, "two")


async def test_without_watching_nothing_happens_until_it_is_asked_for(open_yard: OpenYard) -> None:
    """`watch: false` leaves the choice of the moment to the operator."""
    async with open_yard(watch=False) as yard:
        yard.write(source("two"))
        assert await yard.marker() == "one"
        await yard.host.plugins.reload("marking")
        assert await yard.marker() == "two"


async def test_a_directory_that_comes_late_or_is_replaced_is_watched(open_yard: OpenYard, directory: Path) -> None:
    """The directory itself may be moved away and put back, as deployments do."""
    async with open_yard() as yard:
        shutil.move(directory, directory.with_name("aside"))
        await yard.until(lambda: yard.status().origin.missing)
        assert await yard.marker() == "one"
        os.mkdir(directory)  # noqa: PTH102 - pathlib's is refused in async functions
        yard.write(source("two"))
        await until_marker(yard, "two")
