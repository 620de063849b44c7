"""What README and quickstart say, done literally."""

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
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=50, check=False)


def test_the_readmes_program_runs(folder: Path) -> None:
    """The library example executes a task of the example configuration."""
    (program,) = (block for block in blocks("README.md", "python") if "asyncio.run" in block)
    (folder / "program.py").write_text(program)
    done = run(folder, sys.executable, "program.py")
    assert (done.returncode, done.stdout.strip()) == (0, "success ham"), done.stderr


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


def test_the_quickstarts_task_runs(folder: Path) -> None:
    """The files and the commands of the quickstart, as they are written."""
    (program,) = blocks("docs/quickstart.md", "python")
    (configuration,) = blocks("docs/quickstart.md", "yaml")
    (folder / "jobs.py").write_text(program)
    (folder / "hotplane.yaml").write_text(configuration)
    check = run(folder, sys.executable, "-m", "hotplane", "config", "check")
    assert check.returncode == 0, check.stderr
    command = [sys.executable, "-m", "hotplane", "execute", "greet", '{"name": "Ada"}', "--embedded"]
    assert " ".join(["$ hotplane", *command[3:5], "'" + command[5] + "'", command[6]]) in "\n".join(
        blocks("docs/quickstart.md", "console")
    )
    done = run(folder, *command)
    assert done.returncode == 0, done.stderr
    assert "Hello Ada" in done.stdout


def test_every_link_of_the_readme_leads_somewhere() -> None:
    """Relative links name files that exist."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_embedding_program_prints_what_the_page_says(folder: Path) -> None:
    """A program starts a host, edits a plugin, and goes on with the new version."""
    page = "docs/how-to/embed.md"
    jobs, plugin, program = blocks(page, "python")
    (folder / "plugins").mkdir()
    (folder / "hotplane.yaml").write_text(*blocks(page, "yaml"))
    (folder / "jobs.py").write_text(jobs)
    (folder / "plugins" / "polite.py").write_text(plugin)
    (folder / "program.py").write_text(program)
    done = run(folder, sys.executable, "program.py")
    assert (done.returncode, done.stdout) == (0, blocks(page, "text")[0]), done.stderr
