"""The documentation is built, with everything that looks wrong as an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import environment
from tests.docs.pages import ROOT


@pytest.mark.timeout(600)
def test_the_documentation_is_built_without_a_warning(tmp_path: Path) -> None:
    """No link leads nowhere, no reference is unknown, no page is left out, no docstring is malformed."""
    options = ["-W", "--keep-going", "-n", "-q", "-b", "dummy", "-d", str(tmp_path / "doctrees")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(ROOT / "docs"), str(tmp_path / "out")], cwd=ROOT,
        env=environment(), capture_output=True, text=True, timeout=590, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
