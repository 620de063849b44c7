"""What `hotplane plugins new` writes works as it stands: its tests, its linter, its types, its check."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hotplane.scaffold import NewKind, begin_plugin

BIN = Path(sys.executable).parent
ORDINARY = "no-shouting-in-titles"


def run(place: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command in the distribution's folder."""
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=150, check=False)


@pytest.mark.parametrize("kind", NewKind)
def test_its_tests_pass_on_the_first_run(kind: NewKind, tmp_path: Path):
    """Nothing has to be filled in before."""
    place = begin_plugin("my-plugin", kind, tmp_path)
    done = run(place, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"[1-9] passed", done.stdout)


@pytest.mark.parametrize("kind", [NewKind.SAMPLER, NewKind.WEBHOOK_HANDLER, NewKind.RUNNER])
def test_the_check_of_its_readme_passes(kind: NewKind, tmp_path: Path):
    """The command stands in the README as it can be typed."""
    place = begin_plugin("my-plugin", kind, tmp_path)
    (command,) = re.findall(r"^\$ (hotplane plugins check .*)$", (place / "README.md").read_text(), re.MULTILINE)
    done = run(place, "/bin/sh", "-c", command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "problem" not in done.stdout


@pytest.mark.parametrize("name", ["x", ORDINARY])
def test_it_is_clean(name: str, tmp_path: Path):
    """Formatting, lint and strict types, by its own settings, of every kind, with names of any usual length."""
    for kind in NewKind:
        begin_plugin(name, kind, tmp_path / kind.value)
    ruff = BIN / "ruff"
    for command in ((ruff, "format", "--check", "--no-cache", "."), (ruff, "check", "--no-cache", ".")):
        done = run(tmp_path, *command)
        assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_typed_strictly(tmp_path: Path):
    """Authors who use a type checker begin without errors."""
    for kind in NewKind:
        begin_plugin(f"my-{kind.value}", kind, tmp_path)
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict", "extraPaths": ["my-custom/src"]}')
    done = run(tmp_path, sys.executable, "-m", "pyright", "--pythonpath", sys.executable, *typed(tmp_path))
    assert done.returncode == 0, done.stdout


def typed(folder: Path) -> list[Path]:
    """Return the packages; a package's own tests import it by a path that only its folder knows."""
    return sorted(folder.glob("*/src/*"))
