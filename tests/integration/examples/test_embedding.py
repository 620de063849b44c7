"""The embedding example, run as its reader runs it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_example_edits_its_own_plugin() -> None:
    """Before, after a good edit, after a bad one, after taking it back, and after the next."""
    command = [sys.executable, "-m", "examples.embedding"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=True)
    lines = [re.sub(r"in \d+ ms|'[^']*politeness.py'", "…", line) for line in done.stdout.splitlines()]
    said = "'You fool Ada it is late' is"
    assert lines == [
        f"{said} valid: it is polite (generation 1, 1.0)",
        "swapped …",
        f"{said} not valid: it says fool (generation 2, 1.0)",
        "failed …: The plugin … cannot be loaded: it is not valid Python: invalid syntax (politeness.py, line 11).",
        f"{said} not valid: it says fool (generation 2, 1.0)",
        "unchanged …",
        "swapped …",
        f"{said} not valid: it says fool (generation 3, 1.1)",
    ]
