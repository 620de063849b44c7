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
SEEDS = range(1, 4)
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


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A host with tasks, plugins of every kind, a plugin file, and handlers that take events out of it."""
    folder = write_project(tmp_path_factory.mktemp("everything"))
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


def generated(served: Served, *options: str) -> str:
    """Send generated requests to a server; return the summary, in which nothing is amiss."""
    command = [*COMMAND, f"{served.url}/openapi.json", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=880, check=False)
    print(done.stdout)  # pytest shows it with -s, or when this fails
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(900)
def test_every_answer_is_one_that_the_document_describes(everything: Served) -> None:
    """No 5xx, and no status, content type, header or shape but those that are written down, whatever is sent."""
    assert "65 passed" in generated(everything, "--phases", "examples,coverage,fuzzing")


@pytest.mark.timeout(900)
def test_one_request_may_follow_from_another(everything: Served) -> None:
    """What is made is found, what is gone is not: along the document's links, and along names in answers.

    Several short walks: a walk ends where the same request gets another answer than before, as is right for a server
    that changes with every request.
    """
    followed = 0
    for seed in SEEDS:
        summary = generated(everything, "--phases", "stateful", "--seed", str(seed))
        links = re.search(r"API Links: +(\d+) covered", summary)
        followed += int(links[1]) if links else 0
    assert followed >= 5 * len(SEEDS)
