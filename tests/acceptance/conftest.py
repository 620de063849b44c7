"""The installed command as child processes: one run of it, and a server that is ended after the test."""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from hotplane.cli import main

COMMAND = str(Path(sys.executable).with_name("hotplane"))
READY_WITHIN = 100.0

PROGRAMS = """
import asyncio
import os
import time

def echo(value):
    return value

def double(value):
    return value * 2

def fail(value):
    raise ValueError(value)

def slow(value):
    time.sleep(0.2)
    return value

def until_there_is_a_file(path):
    while not os.path.exists(path):
        time.sleep(0.02)
    return path

def hang(value):
    time.sleep(3600)

async def hang_in_an_executor(value):
    await asyncio.to_thread(time.sleep, 3600)
"""

CONFIGURATION = """
programs: {allow: [jobs]}
server: {shutdown_grace_seconds: 1}
tasks:
  echo: {program: "jobs:echo"}
  double: {program: "jobs:double", input_schema: {type: integer}, sampling_rate: 1}
  fail: {program: "jobs:fail"}
  slow: {program: "jobs:slow"}
  until-there-is-a-file: {program: "jobs:until_there_is_a_file", timeout_ms: 3600000}
  hang: {program: "jobs:hang", timeout_ms: 3600000}
  hang-in-an-executor: {program: "jobs:hang_in_an_executor", timeout_ms: 3600000}
plugins:
  validators: [{name: json-schema-validator}]
  samplers: [{name: percentage-sampler}]
  webhook_handlers: [{name: console-webhook-handler, enabled: false}]
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(**added: str) -> dict[str, str]:
    """Return this environment without what would steer the command."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOTPLANE_", "COLUMNS"))}
    return {**kept, **added}


@dataclass
class Served:
    """A running server."""

    process: subprocess.Popen[str]
    url: str
    folder: Path
    store: Path

    def run(self, *arguments: str, input: str | None = None, **added: str) -> subprocess.CompletedProcess[str]:
        """Run a command against it."""
        return run_command(*arguments, folder=self.folder, input=input, HOTPLANE_SERVER=self.url, **added)

    def call(self, *arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command against it in this process."""
        return call_command(*arguments, folder=self.folder, input=input, HOTPLANE_SERVER=self.url)

    @property
    def log(self) -> str:
        """What it wrote to stderr."""
        return (self.folder / "server.log").read_text("utf-8")


def run_command(
    *arguments: str, folder: Path, input: str | None = None, **added: str
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=folder,
        env=environment(**added),
        input=input,
        stdin=subprocess.DEVNULL if input is None else None,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def call_command(*arguments: str, folder: Path, input: str = "", **added: str) -> subprocess.CompletedProcess[str]:
    """Run the command in this process: the same but for the second that a process takes to start."""
    output, errors = io.BytesIO(), io.BytesIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(io.TextIOWrapper(output, "utf-8", write_through=True)),
        contextlib.redirect_stderr(io.TextIOWrapper(errors, "utf-8", write_through=True)),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(input.encode()), "utf-8")),
        mock.patch.dict(os.environ, environment(**added), clear=True),
    ):
        code = main(arguments)
        texts = [output.getvalue().decode(), errors.getvalue().decode()]
    return subprocess.CompletedProcess(arguments, code, *texts)


def start_server(folder: Path, *arguments: str, **added: str) -> Served:
    """Start a server in a folder that has a configuration, and wait for its first line, which is its address."""
    store = folder / "served.db"
    command = [COMMAND, "serve", "--port", "0", "--store", str(store), *arguments]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(**added), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=log, text=True,
        )  # fmt: skip
    assert process.stdout
    select.select([process.stdout], [], [], READY_WITHIN)
    line = process.stdout.readline() if process.poll() is None else ""
    if "http://" not in line:
        process.kill()
        process.communicate()
        raise AssertionError((folder / "server.log").read_text("utf-8"))
    return Served(process, line.rpartition(" ")[2].strip(), folder, store)


def end(server: Served) -> None:
    """End a server, by force where it does not end by itself."""
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGTERM)
    try:
        server.process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.communicate()


def write_project(folder: Path) -> Path:
    """Write a configuration and its programs, and return the folder."""
    (folder / "jobs.py").write_text(PROGRAMS, "utf-8")
    (folder / "hotplane.yaml").write_text(CONFIGURATION, "utf-8")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a configuration and its programs."""
    return write_project(tmp_path)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the command in the test's folder, with environment variables as keywords."""

    def in_folder(*arguments: str, **added: str) -> subprocess.CompletedProcess[str]:
        return run_command(*arguments, folder=tmp_path, **added)

    return in_folder


@pytest.fixture
def call(tmp_path: Path) -> Run:
    """Like `run`, in this process."""

    def in_folder(*arguments: str, **added: str) -> subprocess.CompletedProcess[str]:
        return call_command(*arguments, folder=tmp_path, **added)

    return in_folder


@pytest.fixture
def serve(project: Path) -> Iterator[Callable[..., Served]]:
    """Starts servers in the project's folder and ends them after the test."""
    started: list[Served] = []

    def start(*arguments: str, **added: str) -> Served:
        started.append(start_server(project, *arguments, **added))
        return started[-1]

    yield start
    for server in started:
        end(server)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server for all tests of a module."""
    served = start_server(write_project(tmp_path_factory.mktemp("served")))
    yield served
    end(served)
