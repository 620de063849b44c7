"""Reading a plugin's files: limits, and files that change while they are read."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from hotplane.errors import PluginImportFailed
from hotplane.host import source
from hotplane.host.source import read_source
from tests.unit.host.conftest import Write


def test_a_file_that_never_rests_is_refused_for_now(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """No two readings agree: the next try may find the whole file."""
    path = write("mine.py", "")
    counted = itertools.count()
    snapshot = source._snapshot

    def written_meanwhile(*args: object) -> source.Source:
        path.write_text(f"x = {next(counted)}\n")
        return snapshot(*args)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(source, "_snapshot", written_meanwhile)
    with pytest.raises(PluginImportFailed, match="being written just now") as caught:
        read_source(path)
    assert caught.value.changed


def test_a_file_that_changes_once_is_read_again(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read in the end is what stands on the disk."""
    path = write("mine.py", "x = 1\n")
    snapshot = source._snapshot
    edits = iter(["x = 2\n"])

    def edited_meanwhile(*args: object) -> source.Source:
        taken = snapshot(*args)  # pyright: ignore[reportArgumentType]
        for text in edits:
            path.write_text(text)
        return taken

    monkeypatch.setattr(source, "_snapshot", edited_meanwhile)
    assert read_source(path).modules[""].text == b"x = 2\n"


def test_a_file_that_went_counts_as_changed(write: Write) -> None:
    """What was read is no longer on the disk."""
    taken = read_source(path := write("mine.py", "x = 1\n"))
    assert not taken.changed_on_disk()
    path.unlink()
    assert taken.changed_on_disk()


def test_too_many_files(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is no plugin is not read through."""
    monkeypatch.setattr(source, "MAX_FILES", 2)
    for name in ("__init__.py", "one.py", "two.py"):
        package = write(f"pack/{name}", "").parent
    with pytest.raises(PluginImportFailed, match="more than 2 files"):
        read_source(package)


def test_too_much_source_in_all(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file alone is small enough, all together are not."""
    monkeypatch.setattr(source, "MAX_SOURCE_BYTES", 100)
    write("pack/one.py", "#" * 60)
    with pytest.raises(PluginImportFailed, match="its source is larger than 100 bytes"):
        read_source(write("pack/__init__.py", "#" * 60).parent)


def test_a_projects_folder_is_told_where_its_package_is(write: Write, tmp_path: Path) -> None:
    """Who begins a package and checks its folder is shown the way."""
    write("project/src/mine/__init__.py", "")
    with pytest.raises(PluginImportFailed, match=r"without `__init__\.py`; the package is in it, at `src/mine`"):
        read_source(tmp_path / "project")


def test_a_large_data_file_counts_by_size_and_time(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read, and a newer one is another version."""
    monkeypatch.setattr(source, "_HASHED_WHOLE", 10)
    write("pack/__init__.py", "")
    model = write("pack/model.bin", "#" * 20)
    before = read_source(model.parent)
    os.utime(model, ns=(0, 1))
    assert before.changed_on_disk()


def test_editors_leavings_and_odd_names_are_no_modules(write: Write) -> None:
    """A backup does not count at all; a file that cannot be imported counts, but is no module."""
    write("pack/one.py~", "")
    write("pack/.one.py.swp", "")
    write("pack/not-a-module.py", "")
    taken = read_source(write("pack/__init__.py", "").parent)
    assert (set(taken.modules), len(taken.files)) == ({""}, 2)


def test_a_folder_that_cannot_be_read(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is the system's own."""
    package = write("pack/__init__.py", "").parent

    def refused(path: Path, **_: object) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(PluginImportFailed, match="Permission denied") as caught:
        read_source(package)
    assert not caught.value.changed
