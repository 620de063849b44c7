"""From where plugins may be loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotplane.errors import PathNotAllowed
from hotplane.host.paths import Doors


def test_a_pattern_over_modules_opens_no_folder(tmp_path: Path) -> None:
    """Not even one whose path would match it, were it read as one."""
    with pytest.raises(PathNotAllowed):
        Doors(patterns=["*"]).check_path(tmp_path / "mine.py")


def test_a_folder_opens_what_is_below_and_nothing_beside(tmp_path: Path) -> None:
    """Detours do not lead out of it."""
    doors = Doors(patterns=["acme.*", str(tmp_path / "in")])
    assert doors.check_path(tmp_path / "in" / "deep" / "mine.py") == tmp_path / "in" / "deep" / "mine.py"
    for outside in (tmp_path / "inner" / "mine.py", tmp_path / "in" / ".." / "mine.py"):
        with pytest.raises(PathNotAllowed):
            doors.check_path(outside)
