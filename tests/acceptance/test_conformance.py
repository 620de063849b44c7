"""The API as its OpenAPI document describes it: generated requests, valid and not, alone and one after the other."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import CONFIGURATION, Served, end, start_server, write_project

ROOT = Path(__file__).parents[2]
SETTINGS = Path(__file__).with_name("conformance") / "schemathesis.toml"
COMMAND = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(SETTINGS), "--no-color", "run"]
PLUGIN = """
from hotplane import PluginMetadata, ValidationResult, Validator
from hotplane.plugins import Config

class Mine(Validator[Config]):
    metadata = PluginMetadata(name="mine", version="1.0")

    async def validate(self, execution, context):
        return ValidationResult(valid=True)
"""
MORE = """
  directories: [plugins]
  watch: false
log: {level: warning}
webhooks: {directories: [{folder}]}
"""


@pytest.fixture
def everything(tmp_path: Path) -> Iterator[Served]:
    """A host with tasks, plugins of every kind, a plugin file, and handlers that take events out of it."""
    folder = write_project(tmp_path)
    (folder / "plugins").mkdir()
    (folder / "plugins" / "mine.py").write_text(PLUGIN, "utf-8")
    written = f"{{name: written, type: file-webhook-handler, configuration: {{directory: {folder}}}}}"
    handlers = CONFIGURATION.replace("enabled: false}]", f"enabled: false}}, {written}]")
    (folder / "hotplane.yaml").write_text(handlers.rstrip() + MORE.replace("{folder}", str(folder)), "utf-8")
    served = start_server(folder)
    execute(served, "echo", "double")
    yield served
    end(served)


def execute(served: Served, *tasks: str) -> None:
    """Have something in every list before it is asked for."""
    for task in tasks:
        assert served.run("execute", task, "1").returncode == 0


@pytest.mark.timeout(300)
def test_every_answer_is_one_that_the_document_describes(everything: Served) -> None:
    """No 5xx, and no status, content type, header or shape but those that are written down, whatever is sent."""
    command = [*COMMAND, f"{everything.url}/openapi.json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    print(done.stdout)  # the summary; pytest shows it with -s, or when this fails
    assert done.returncode == 0, done.stderr
    links = re.search(r"API Links: +(\d+) covered", done.stdout)
    assert links
    assert int(links[1]) > 5  # answers led to further requests
