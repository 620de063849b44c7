"""Looking for changes where the file system does not tell of them."""

from __future__ import annotations

import os
import time
from pathlib import Path

from hotplane.host.polling import changes, look


def test_files_that_come_go_and_change(tmp_path: Path) -> None:
    """Also below; compiled files are nobody's edit."""
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__pycache__").mkdir()
    stays, goes, edited, new = (tmp_path / "pack" / f"{name}.py" for name in ("stays", "goes", "edited", "new"))
    for path in (stays, goes, edited):
        path.write_text("x = 1")
    os.utime(stays, (1, 1))
    before = look([tmp_path])
    goes.unlink()
    edited.write_text("x = 22")
    new.write_text("")
    (tmp_path / "pack" / "__pycache__" / "stays.pyc").write_text("")
    assert changes(before, look([tmp_path])) == {goes, edited, new}


def test_an_edit_that_leaves_size_and_time_as_they_were(tmp_path: Path) -> None:
    """Where times are coarse, only the content tells."""
    path = tmp_path / "plugin.py"
    path.write_text("x = 1")
    later = time.time() + 3600
    os.utime(path, (later, later))  # which is lately, however slow the machine is
    stamp = path.stat()
    before = look([tmp_path])
    path.write_text("x = 2")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert changes(before, look([tmp_path])) == {path}


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """It has no files."""
    assert look([tmp_path / "nowhere"]) == {}


def test_a_file_that_rests_is_known_by_its_times(tmp_path: Path) -> None:
    """Only what changed lately is read; a file that went while we looked is not there."""
    path = tmp_path / "plugin.py"
    path.write_text("x = 1")
    os.utime(path, (1, 1))
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere")
    found = look([tmp_path])
    assert set(found) == {path}
    assert len(found[path]) == 3
