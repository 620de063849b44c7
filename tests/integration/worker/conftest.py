"""Workers as child processes, with programs of every sort, and clients for both doors."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from hotplane.valkyrie import ClientSettings, Connection, connect

COMMAND = str(Path(sys.executable).with_name("hotplane"))
READY_WITHIN = 45.0
PATIENT: dict[str, Any] = {"connect_timeout_seconds": 30, "ping_interval_seconds": 3600}
"""A client that gives up no worker, which may stand still for a while."""

PROGRAMS = """
import asyncio
import os
import time
from pathlib import Path

def echo(value):
    return value

async def aecho(value):
    await asyncio.sleep(0)
    return value

def fail(value):
    raise ValueError(value)

def pid(value):
    return os.getpid()

def environment(value):
    return os.environ.get(value)

def wait_for(marks):
    "Make the first file, and return when somebody has made the second."
    Path(marks["begun"]).touch()
    while not Path(marks["go"]).exists():
        time.sleep(0.005)
    return "finished"

async def nap(marks):
    Path(marks["begun"]).touch()
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        Path(marks["cancelled"]).touch()
        raise

async def block(marks):
    Path(marks["begun"]).touch()
    time.sleep(3600)

async def hang_in_an_executor(marks):
    Path(marks["begun"]).touch()
    await asyncio.to_thread(time.sleep, 3600)

def hang(marks):
    Path(marks["begun"]).touch()
    time.sleep(3600)
"""

HEAVY = """
import ctypes
import os
import subprocess
import time
from pathlib import Path

def pid(value):
    return os.getpid()

def leave(code):
    os._exit(code)

def crash(value):
    ctypes.string_at(0)

def hold_interpreter(value):
    return sum(range(10**12))

def say(text):
    print(text)
    return text

def spawn(marks):
    child = subprocess.Popen(["sleep", "3600"])
    Path(marks["begun"]).write_text(f"{os.getpid()} {child.pid}")
    time.sleep(3600)

def spin(marks):
    Path(marks["begun"]).write_text(str(os.getpid()))
    while True:
        pass
"""

BROKEN = "import nothing_of_that_name\n"


def environment(**added: str) -> dict[str, str]:
    """Return this environment without what would steer the command."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOTPLANE_", "PYTHONUNBUFFERED"))}
    return {**kept, **added}


@dataclass
class Running:
    """A running worker."""

    process: subprocess.Popen[str]
    endpoint: str
    url: str
    folder: Path
    marks: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def log(self) -> str:
        """What it wrote to stderr."""
        return (self.folder / "worker.log").read_text("utf-8")

    def marked(self, name: str) -> bool:
        """Tell whether a program has made a mark."""
        return Path(self.marks[name]).exists()

    def let_go(self) -> None:
        """Let the programs return that wait for it."""
        Path(self.marks["go"]).touch()

    @contextlib.asynccontextmanager
    async def client(self, **settings: Any) -> AsyncGenerator[Connection]:
        """Connect by Valkyrie."""
        connection = await connect(self.endpoint, ClientSettings(**{**PATIENT, **settings}))
        try:
            yield connection
        finally:
            connection.close()
            await connection.wait_closed()

    async def call(self, program: str, value: object, seconds: float = 30.0) -> Any:
        """Run a program by Valkyrie, over a connection of its own."""
        async with self.client() as connection:
            return json.loads(await connection.call(program, "run", json.dumps(value).encode(), seconds))

    async def post(
        self, program: str, value: object, *, deadline_ms: int = 30_000, headers: dict[str, str] | None = None
    ) -> httpx2.Response:
        """Run a program by HTTP."""
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False, timeout=50) as client:
            body = {"program": program, "input": value, "deadline_ms": deadline_ms}
            return await client.post("/run", json=body, headers=headers)

    async def get(self, path: str, headers: dict[str, str] | None = None) -> httpx2.Response:
        """Ask for something by HTTP."""
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False, timeout=50) as client:
            return await client.get(path, headers=headers)

    async def ended(self, within: float) -> int:
        """Wait for its end and return its exit code."""
        return await asyncio.to_thread(self.process.wait, within)


async def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until another process is so far."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - another process has no event to wait for
            await asyncio.sleep(0.01)


def state_of(pid: int) -> str:
    """Return the letter of a process's state (proc(5)), X when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and waits to be reaped does not."""
    return state_of(pid) not in {"Z", "X"}


def write_programs(folder: Path) -> None:
    """Write the modules that workers run."""
    (folder / "light.py").write_text(PROGRAMS, "utf-8")
    (folder / "heavy.py").write_text(HEAVY, "utf-8")
    (folder / "broken.py").write_text(BROKEN, "utf-8")


def start_worker(folder: Path, *arguments: str, **added: str) -> Running:
    """Start a worker with free ports, and wait for the line that tells them."""
    write_programs(folder)
    command = [COMMAND, "worker", "--listen", "tcp://127.0.0.1:0", "--http", "127.0.0.1:0", "--programs", "light"]
    with (folder / "worker.log").open("w") as log:
        process = subprocess.Popen(
            [*command, *arguments], cwd=folder, env=environment(**added), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
    assert process.stdout
    select.select([process.stdout], [], [], READY_WITHIN)
    line = process.stdout.readline()
    found = re.fullmatch(r"Hotplane worker is ready at (\S+) and (\S+)\n", line)
    if found is None:
        process.kill()
        process.communicate()
        pytest.fail(f"no ready line but {line!r}; {(folder / 'worker.log').read_text('utf-8')}")
    marks = {name: str(folder / name) for name in ("begun", "go", "cancelled")}
    return Running(process, found[1], found[2], folder, marks)


def end(worker: Running) -> None:
    """Make sure that a worker is gone."""
    if worker.process.poll() is None:
        worker.process.send_signal(signal.SIGKILL)
    worker.process.communicate()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts workers and ends them after the test."""
    started: list[Running] = []

    def starting(*arguments: str, **added: str) -> Running:
        started.append(start_worker(tmp_path, *arguments, **added))
        return started[-1]

    yield starting
    for worker in started:
        end(worker)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A worker with two processes, for all tests of a module that do it no harm."""
    options = ("--programs", "heavy", "--cpu-bound", "heavy", "--processes", "2")
    worker = start_worker(tmp_path_factory.mktemp("worker"), *options)
    yield worker
    end(worker)


@pytest.fixture
def worker(shared: Running, tmp_path: Path) -> Running:
    """The shared worker, with marks of this test alone."""
    marks = {name: str(tmp_path / name) for name in ("begun", "go", "cancelled")}
    return Running(shared.process, shared.endpoint, shared.url, shared.folder, marks)
