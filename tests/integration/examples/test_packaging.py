"""A plugin as a distribution: built, installed into a fresh environment, found by its entry point, and loaded."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

import hotplane

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
SOURCES = ROOT / "examples" / "plugins" / "packaged"
GUIDE = (ROOT / "docs" / "guide" / "plugins.md").read_text("utf-8")
CONFIGURATION = """\
programs: {allow: [jobs], paths: [.]}
plugins:
  installed: true
  samplers: [{name: percentage-sampler, configuration: {sampling_rate: 1.0}}]
tasks: {boast: {program: "jobs:boast"}}
"""


def told(beginning: str) -> str:
    """Return the command of the guide that begins so."""
    (command,) = re.findall(rf"^\$ ({beginning}.*)$", GUIDE, re.MULTILINE)
    return command


def run(folder: Path, *command: str | Path) -> str:
    """Run a command that has to succeed, and return what it prints."""
    keep = ("PATH", "HOME", "LANG", "TMPDIR", "UV_CACHE_DIR", "SSL_CERT_FILE")
    environment = {name: os.environ[name] for name in keep if name in os.environ} | {"NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(folder: Path) -> Path:
    """Build the wheel; `make setup` has built Hotplane itself, so that the back end is in uv's cache."""
    shutil.copytree(SOURCES, folder / "examples" / "plugins" / "packaged")
    command = [str(BIN / "uv"), *shlex.split(told("uv build"))[1:]]
    try:
        run(folder, *command, "--offline")
    except AssertionError:  # an emptied cache: then it has to be fetched
        run(folder, *command)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The distribution of the guide."""
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with the wheel in it; all that it needs is borrowed from ours."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = folder / "venv" / "bin" / "python"
    site = Path(run(folder, python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    borrowed = [sysconfig.get_path("purelib"), str(Path(hotplane.__file__).parents[1])]
    (site / "borrowed.pth").write_text("\n".join(borrowed))
    (folder / "dist").symlink_to(wheel.parent)
    install = [str(BIN / "uv"), *shlex.split(told("uv pip install"))[1:]]
    run(folder, *install, "--python", python, "--no-index", "--no-deps")
    (folder / "hotplane.yaml").write_text(CONFIGURATION)
    (folder / "jobs.py").write_text("def boast(value):\n    return 'We leverage seamless synergy'\n")
    return python


def test_the_wheel_has_what_it_needs(wheel: Path):
    """The module, the marker of its types, and the entry point."""
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        (points,) = (name for name in names if name.endswith("entry_points.txt"))
        assert (
            opened.read(points).decode().strip() == "[hotplane.plugins]\nplain-language = plain_language:PlainLanguage"
        )
    assert {"plain_language/__init__.py", "plain_language/py.typed"} <= names


def test_the_doctor_lists_it(fresh: Path):
    """It is found by its entry point alone, and can serve."""
    shown = run(fresh.parents[2], fresh, "-m", "hotplane", "plugins", "doctor", "-o", "json")
    (found,) = (each for each in json.loads(shown)["plugins"] if each["id"] == "plain-language")
    assert (found["source"], found["version"], found["kind"], found["ok"]) == (
        "distribution",
        "1.2.0",
        "validator",
        True,
    )


def test_the_guide_shows_what_the_doctor_says(fresh: Path):
    """With the configuration of the guide, and with its words."""
    (shown,) = re.findall(r"^\$ hotplane plugins doctor\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    (configuration,) = re.findall(r"^```yaml\n(plugins:\n  installed: true\n)```", GUIDE, re.MULTILINE)
    (fresh.parents[2] / "guide.yaml").write_text(configuration)
    assert run(fresh.parents[2], fresh, "-m", "hotplane", "plugins", "doctor", "guide.yaml") == shown


def test_a_host_loads_it(fresh: Path):
    """With `plugins.installed: true` it judges, and nobody had to name it."""
    shown = run(fresh.parents[2], fresh, "-m", "hotplane", "execute", "boast", "{}", "--embedded", "-o", "json")
    (validation,) = json.loads(shown)["validations"]
    assert (validation["validator"], validation["valid"]) == ("plain-language", False)
    assert "'leverage' is a hollow word" in validation["message"]


def test_it_keeps_the_contract_where_it_is_installed(fresh: Path):
    """`hotplane plugins check module:Class` takes what is installed."""
    shown = run(fresh.parents[2], fresh, "-m", "hotplane", "plugins", "check", "plain_language:PlainLanguage")
    assert shown.endswith("18 checks: 18 ok\n")
