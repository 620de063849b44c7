"""The README's plugin in the README's configuration; tests/docs plays the pages themselves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def blocks(document: str, language: str) -> list[str]:
    """Return the code blocks of a language, in order."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder in which the examples can be named as in the repository."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=150, check=False
    )


def test_the_readmes_plugin_is_a_plugin(folder: Path) -> None:
    """The plugin example can be configured as the README's file says, and judges."""
    (plugin,) = (block for block in blocks("README.md", "python") if "NeverEmpty" in block)
    (configuration,) = blocks("README.md", "yaml")
    package = folder / "mycompany"
    package.mkdir()
    (package / "plugins.py").write_text(plugin)
    (folder / "jobs.py").write_text("def empty(value):\n    return ''\n")
    extra = (
        "  samplers: [{name: percentage-sampler, configuration: {sampling_rate: 1.0}}]\n"
        "programs: {allow: [jobs], paths: [.]}\n"
        "tasks: [{id: empty, program: jobs:empty}]\n"
    )
    (folder / "hotplane.yaml").write_text(configuration + extra)
    done = run(folder, sys.executable, "-m", "hotplane", "execute", "empty", "{}", "--embedded", "--output", "json")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["validations"]
    assert [(result["validator"], result["valid"]) for result in results] == [("never-empty", False)]
