"""The page on repeating requests, played: its command, twice."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.conftest import end, environment, start_server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "retry-safely.md").read_text("utf-8")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_command_of_the_page_runs_once(tmp_path: Path) -> None:
    """Both times it prints the same record; only the second answer says that it is a repeat."""
    for name in ("examples", "hotplane.yaml"):
        (tmp_path / name).symlink_to(ROOT / "examples" / ("spam/hotplane.yaml" if "." in name else ""))
    (command,) = re.findall(r"^```console\n\$ (.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    server = start_server(tmp_path)
    try:
        script = command.replace("http://127.0.0.1:3000", server.url).replace("curl -s", "curl -si")
        first, again = [
            subprocess.run(["bash", "-c", script], env=environment(), capture_output=True, text=True, check=True).stdout
            for _ in range(2)
        ]
    finally:
        end(server)
    assert first.splitlines()[-1] == again.splitlines()[-1]
    assert '"status":"success"' in first
    assert ("idempotent-replayed: true" in first, "idempotent-replayed: true" in again) == (False, True)
