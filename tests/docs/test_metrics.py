"""The page on metrics names every series that hosts and workers have, and no other."""

from __future__ import annotations

import json
import re
import select
import signal
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.acceptance.conftest import COMMAND, READY_WITHIN, end, environment, start_server, write_project
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "reference" / "metrics.md").read_text("utf-8")
ROW = re.compile(r"^\| `(hotplane_\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)
Series = dict[str, tuple[str, frozenset[str]]]


def written(prefix: str) -> Series:
    """Return the series of the page."""
    rows = ((name, kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in ROW.findall(PAGE))
    return {name: (kind, labels) for name, kind, labels in rows if name.startswith("hotplane_worker_") == bool(prefix)}


def scraped(url: str) -> Series:
    """Return the series that an address has."""
    with urlopen(f"{url}/metrics") as answer:
        text = answer.read().decode()
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    labels: dict[str, set[str]] = defaultdict(set)
    for name, inside in re.findall(r"^(hotplane_\w+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        family = name if name in types else re.sub(r"_(bucket|sum|count)$", "", name)
        labels[family] |= set(re.findall(r'(\w+)="', inside)) - {"le"}
    return {name: (kind, frozenset(labels[name])) for name, kind in types.items()}


def post(url: str, body: object) -> None:
    """Send a JSON body."""
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST")
    with urlopen(request) as answer:
        answer.read()


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[str]:
    """The address of a worker whose only process for CPU-bound programs has ended once."""
    (tmp_path / "jobs.py").write_text(
        "import os\n\ndef echo(value):\n    return value\n\ndef die(value):\n    os._exit(3)\n"
    )
    command = [COMMAND, "worker", "--programs", "jobs", "--listen", "tcp://127.0.0.1:0", "--http", "127.0.0.1:0"]
    process = subprocess.Popen(
        [*command, "--cpu-bound", "jobs", "--processes", "1"], cwd=tmp_path, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout
    try:
        select.select([process.stdout], [], [], READY_WITHIN)
        yield process.stdout.readline().rpartition(" ")[2].strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def test_the_page_names_every_series_of_a_host(tmp_path: Path) -> None:
    """Names, types and labels, after an execution and a health check."""
    server = start_server(write_project(tmp_path))
    try:
        post(f"{server.url}/api/tasks/echo/execute", {"input": 1})
        post(f"{server.url}/api/plugins/local/health/check", {})
        assert scraped(server.url) == written("")
    finally:
        end(server)


def test_the_page_names_every_series_of_a_worker(worker: str) -> None:
    """Names, types and labels, after a call and the end of a process."""
    for program in ("echo", "die"):
        post(f"{worker}/run", {"program": f"jobs:{program}", "input": 1, "deadline_ms": 60000, "task": "t"})
    assert scraped(worker) == written("worker")
