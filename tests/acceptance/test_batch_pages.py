"""The pages on batches and streams, played against a server: every call of them, and every output."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.conftest import end, environment, start_server

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
ADDRESS = "http://127.0.0.1:3000"
MARK = "\x1e"

pytestmark = pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="needs curl and jq")


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a language."""
    text = (HOW_TO / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def steps(page: str) -> list[tuple[str, str]]:
    """Return every command of a page with the output below it."""
    found: list[tuple[str, str]] = []
    for line in "".join(blocks(page, "console")).splitlines(keepends=True):
        if line.startswith("$ "):
            found.append((line[2:].rstrip("\n"), ""))
        else:
            command, output = found[-1]
            found[-1] = command, output + line
    return found


@pytest.mark.parametrize("page", ["batches.md", "streams.md"])
def test_every_output_of_the_page_is_real(page: str, tmp_path: Path) -> None:
    """The commands run in one shell, in the folder with the files of the page."""
    (tmp_path / "hotplane.yaml").write_text(blocks(page, "yaml")[0])
    (tmp_path / "jobs.py").write_text(blocks(page, "python")[0])
    server = start_server(tmp_path)
    try:
        script = "".join(f"{command.replace(ADDRESS, server.url)}\nprintf '{MARK}'\n" for command, _ in steps(page))
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=50,
            check=False,
        )  # fmt: skip
    finally:
        end(server)
    outputs = done.stdout.split(MARK)[:-1]
    for (command, output), real in zip(steps(page), outputs, strict=True):
        assert (command, real) == (command, output), done.stderr
