"""The page about the breaker tells the truth."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hotplane.routing import BreakerSettings, BreakerState

PAGE = (Path(__file__).parents[3] / "docs" / "explanation" / "breaker.md").read_text()


def test_its_examples_run() -> None:
    """The code blocks, one after the other, print what a reader expects."""
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (ran.returncode, ran.stdout) == (0, "tin 7\ntin 8\n"), ran.stderr


@pytest.mark.parametrize("name", BreakerSettings.model_fields)
def test_every_setting_is_explained(name: str) -> None:
    """No setting is missing from the table of defaults."""
    assert f"`{name}`" in PAGE.split("## Defaults")[1]


@pytest.mark.parametrize("state", BreakerState)
def test_every_state_is_explained(state: BreakerState) -> None:
    """No state is missing from the table of states."""
    assert f"| `{state}` |" in PAGE
