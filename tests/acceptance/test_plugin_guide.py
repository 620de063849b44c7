"""The guide for plugin authors and the how-to pages of each kind, played: commands, plugins, tests, configurations."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hotplane.config import config_from_mapping
from tests.acceptance.conftest import environment

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guide" / "plugins.md").read_text("utf-8")
PAGES = sorted((ROOT / "docs" / "how-to").glob("write-a-*.md"))
ELSEWHERE = "<!-- the next console block is played by "
PYTEST = [
    *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "--import-mode=importlib"),
    *("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"),
]


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of a language that are played here, in order."""
    found = re.findall(
        rf"({re.escape(ELSEWHERE)}[^\n]*\n\n)?^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE
    )
    return [block for elsewhere, block in found if not elsewhere]


def commands(block: str) -> list[tuple[str, str]]:
    """Return each command of a session with what it prints."""
    return [
        (each.partition("\n")[0], each.partition("\n")[2]) for each in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    ]


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder."""
    given = environment(PATH=f"{Path(sys.executable).parent}:/usr/bin:/bin", PYTHONPATH=str(folder))
    return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, timeout=150, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which the examples can be named as in the repository."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def test_the_commands_print_what_the_guide_shows(folder: Path) -> None:
    """Every console session, in order, in one folder."""
    sessions = [each for block in blocks(GUIDE, "console") for each in commands(block)]
    assert len(sessions) == 7
    for command, shown in sessions:
        done = run(folder, "/bin/sh", "-c", command)
        assert (done.stdout, done.stderr) == (shown, ""), command


def test_the_tests_of_the_guide_pass(folder: Path) -> None:
    """Each Python block is a file of tests, as it would stand beside the example."""
    tests = blocks(GUIDE, "python")
    assert len(tests) == 3
    for number, test in enumerate(tests):
        (folder / f"test_guide_{number}.py").write_text(test)
    done = run(folder, sys.executable, *PYTEST, ".")
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_the_configurations_of_the_guide_are_right() -> None:
    """Every key is one that there is."""
    written = blocks(GUIDE, "yaml")
    assert len(written) == 2
    for each in written:
        assert config_from_mapping(yaml.safe_load(each)).config.plugins


def test_every_included_file_is_there() -> None:
    """The five examples are included whole, from the files that the tests run."""
    included = re.findall(r"\{literalinclude\} (\S+)", GUIDE)
    assert len(included) == 6
    assert all((ROOT / "docs" / "guide" / each).resolve().is_file() for each in included)


def test_the_pages_of_each_kind_hold(folder: Path) -> None:
    """Each page has a plugin, under the name that it says, and the tests of that plugin."""
    assert len(PAGES) == 5
    for page in PAGES:
        text = page.read_text("utf-8")
        plugin, test = blocks(text, "python")
        (name,) = set(re.findall(r"`(\w+)\.py`", text))
        (folder / f"{name}.py").write_text(plugin)
        (folder / f"test_{name}.py").write_text(test)
    done = run(folder, sys.executable, *PYTEST, ".")
    assert done.returncode == 0, done.stdout
    assert "12 passed" in done.stdout


def test_the_beginnings_that_the_pages_name_can_be_begun(folder: Path) -> None:
    """Each command is complete."""
    for page in PAGES:
        (command,) = re.findall(r"`(hotplane plugins new [^`]+)`", page.read_text("utf-8"))
        done = run(folder, "/bin/sh", "-c", command)
        assert done.returncode == 0, done.stderr
