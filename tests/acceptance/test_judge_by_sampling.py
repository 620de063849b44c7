"""The page on judging by sampling, played: its program, its command, and its table of figures."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hotplane.config import config_from_mapping
from hotplane.execution.estimates import Picks, estimate
from tests.acceptance.conftest import COMMAND, end, environment, start_server
from tests.unit.execution.coverage import lines

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "judge-by-sampling.md").read_text("utf-8")
EXPLANATION = (ROOT / "docs" / "explanation" / "estimates.md").read_text("utf-8")
CHANGING = ("latency", "sampled otherwise")
"""Lines whose figures depend on the machine and on the time of day."""


def block(language: str) -> str:
    """Return the only code block of a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return found


def steady(output: str) -> list[str]:
    """Return the lines that are the same every time."""
    return [line for line in output.splitlines() if not line.startswith(CHANGING)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder where the program of the page was run."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "program.py").write_text(block("python"))
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=50,
        check=False,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == (block("text"), 0), done.stderr
    return tmp_path


def test_the_page_shows_what_is_printed(folder: Path) -> None:
    """The program prints what stands below it, and the command shows what the program stored."""
    (folder / "hotplane.yaml").symlink_to(ROOT / "examples" / "spam" / "hotplane.yaml")
    server = start_server(folder, "--store", "judged.db")
    try:
        command, _, output = block("console").partition("\n")
        assert command == "$ hotplane tasks quality spam-detector"
        done = subprocess.run(
            [COMMAND, *command.split()[2:], "--server", server.url], cwd=folder, env=environment(),
            capture_output=True, text=True, timeout=50, check=True,
        )  # fmt: skip
        assert steady(done.stdout) == steady(output)
    finally:
        end(server)


def test_the_table_of_picks_is_right() -> None:
    """Each interval of the page is that of the library, as exactly as it is written."""
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) % \|(.+)\|$", PAGE, re.MULTILINE)
    assert len(rows) == 4
    for picks, bound, intervals in rows:
        count = int(picks)
        assert float(bound) == pytest.approx(100 * estimate(Picks(), Picks.of(count, 1e-6)).high, rel=0.03)
        for rate, interval in zip((0.01, 0.05, 0.3), intervals.split("|"), strict=True):
            failed = round(count * rate)
            found = estimate(Picks.of(failed, 1e-6), Picks.of(count - failed, 1e-6))
            low, high = (float(each) / 100 for each in interval.replace("%", "").split("to"))
            assert (low, high) == (pytest.approx(found.low, rel=0.03), pytest.approx(found.high, rel=0.03))


def test_the_thresholds_of_the_page_can_be_configured() -> None:
    """They are keys that there are."""
    (task,) = config_from_mapping(yaml.safe_load(block("yaml"))).config.tasks
    assert task.thresholds is not None
    assert (task.thresholds.accuracy_min, task.thresholds.latency_max_ms) == (0.95, 250)


def test_the_explanation_shows_the_coverage_that_is_measured() -> None:
    """The seeds are fixed, so that the table is the same every time."""
    assert "\n".join(lines()) in EXPLANATION
