"""The reference page is what the models are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hotplane.config import HotplaneConfig
from hotplane.config.reference import render
from hotplane.config.shape import model_of

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "configuration.md"


def test_the_committed_page_is_the_rendered_one():
    """`python -m hotplane.config.reference > docs/reference/configuration.md` mends this."""
    assert PAGE.read_text("utf-8") == render()


def test_every_key_of_every_section_has_a_row_with_a_meaning():
    """Nothing that can be set is left unexplained."""
    rows = [line.split(" | ") for line in render().splitlines() if line.startswith("| `")]
    keys = {row[0].removeprefix("| ").strip("`") for row in rows}
    assert all(len(row) == 4 and len(row[3]) > len("| x |") for row in rows)
    for field in HotplaneConfig.model_fields.values():
        model, _ = model_of(field.annotation)
        assert model is not None
        assert keys >= set(model.model_fields)


def test_the_module_writes_the_page():
    """The command in the page's first line works."""
    command = [sys.executable, "-m", "hotplane.config.reference"]
    written = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "utf-8"})
    assert written.stdout.decode() == render()
