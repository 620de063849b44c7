"""The page on managing plugins, played against a server: every call of it, and every output."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import end, environment, start_server

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "manage-plugins.md"
MARK = "\x1e"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ADDRESS = "http://127.0.0.1:3000"


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def steps() -> list[tuple[str, str]]:
    """Return every command of the page with the output below it."""
    found: list[tuple[str, str]] = []
    for line in "".join(blocks("console")).splitlines(keepends=True):
        if line.startswith("$ "):
            found.append((line[2:].rstrip("\n"), ""))
        else:
            command, output = found[-1]
            found[-1] = command, output + line
    return found


def played(folder: Path, url: str) -> list[str]:
    """Run the commands in one shell, and return their outputs."""
    script = "".join(f"{command.replace(ADDRESS, url)}\nprintf '{MARK}'\n" for command, _ in steps())
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment(), capture_output=True, text=True, timeout=50, check=False
    )
    assert done.stderr == ""
    return [UUID.sub("01912c5e-7a3b-7d41-8c2f-5b9e0a6d4f13", output) for output in done.stdout.split(MARK)[:-1]]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Any]:
    """A server in a folder with the files of the page."""
    (tmp_path / "hotplane.yaml").write_text(blocks("yaml")[0])
    jobs, plugin = blocks("python")
    (tmp_path / "jobs.py").write_text(jobs)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "no_shouting.py").write_text(plugin)
    # The page checks by hand: a check of the monitor's own in between would be one more in the history.
    server = start_server(tmp_path, HOTPLANE_HEALTH__ENABLED="false")
    yield server
    end(server)


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="the page uses curl and jq")
def test_the_page_says_what_happens(served: Any) -> None:
    """Each command prints what the page says."""
    outputs = played(served.folder, served.url)
    for (command, expected), output in zip(steps(), outputs, strict=True):
        assert output == expected, command
