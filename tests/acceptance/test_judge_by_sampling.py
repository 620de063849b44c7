"""The figures of the page on judging by sampling; tests/docs plays its program and its command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from hotplane.config import config_from_mapping
from hotplane.execution.estimates import Picks, estimate
from tests.unit.execution.coverage import lines

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "judge-by-sampling.md").read_text("utf-8")
EXPLANATION = (ROOT / "docs" / "explanation" / "estimates.md").read_text("utf-8")


def block(language: str) -> str:
    """Return the only code block of a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return found


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
