"""Several host processes on one PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hotplane.execution.batch import BatchState, BatchStatus
from hotplane.execution.batch.live import status_of
from hotplane.execution.batch.stored import decode_batch
from hotplane.storage import StorageSettings, Store
from tests.integration.batch.sharing import CONCURRENCY, GATE

_ROOT = Path(__file__).parents[3]
_COUNT = 400


class _Host:
    """A host process."""

    def __init__(self, url: str, notes: Path, count: int, sure: float) -> None:
        command = [sys.executable, str(Path(__file__).with_name("sharing.py")), url, str(notes), str(count), str(sure)]
        environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=_ROOT, env=environment)

    def hear(self, word: bytes) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == word + b"\n"

    def tell(self, word: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word + b"\n")
        self.process.stdin.flush()

    def stopped(self) -> None:
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def url(postgres) -> str:
    """The address of a new store."""
    return postgres.new_database()


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """The file in which items say that they run."""
    return tmp_path / "notes"


@pytest.fixture
def host(url: str, notes: Path) -> Iterator[Callable[..., _Host]]:
    """Starts a host; whatever the test does, none is left."""
    with ExitStack() as stack:

        def start(count: int = 0, sure: float = 3_000.0) -> _Host:
            started = _Host(url, notes, count, sure)
            stack.callback(started.end)
            return started

        yield start


def begun(notes: Path) -> Counter[int]:
    """Return how often each item began."""
    return Counter(map(int, notes.read_text().split())) if notes.exists() else Counter()


def reach(notes: Path, count: int) -> None:
    """Wait until so many items have begun."""
    deadline = time.monotonic() + 120
    while len(begun(notes)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def open_gate(notes: Path) -> None:
    """Let all items end."""
    notes.with_name(f"{notes.name}.go").touch()


async def ended(url: str) -> BatchStatus:
    """Return how the batch ended."""
    store = await Store.open(StorageSettings(url=url))
    try:
        found = await store.ledger.find("shared")
    finally:
        await store.close()
    assert found is not None
    return status_of(decode_batch(found.body), BatchState(found.state))


async def test_a_host_leaves_the_batches_of_another_alone(host, url, notes):
    """No item begins twice, none is interrupted, and who asks the wrong host is told so."""
    first = host(_COUNT)
    first.hear(b"submitted")
    second = host()
    second.hear(b"ready")
    second.tell(b"pause")
    second.hear(b"batch-elsewhere")
    open_gate(notes)
    second.hear(b"ended")
    status = await ended(url)
    assert (status.counts.succeeded, status.counts.interrupted) == (_COUNT, 0)
    assert begun(notes) == Counter(range(1, _COUNT + 1))


async def test_a_host_takes_over_from_one_that_was_killed(host, url, notes):
    """It sees that the process is gone, long before the hour of the lease ends; what had begun does not begin again."""
    first = host(_COUNT)
    first.hear(b"submitted")
    second = host()
    second.hear(b"ready")
    reach(notes, GATE + CONCURRENCY)
    first.end()
    reach(notes, GATE + 2 * CONCURRENCY)
    open_gate(notes)
    second.hear(b"ended")
    status = await ended(url)
    assert (status.counts.succeeded, status.counts.interrupted) == (_COUNT - CONCURRENCY, CONCURRENCY)
    assert begun(notes) == Counter(range(1, _COUNT + 1))


async def test_a_host_that_was_frozen_stops_what_it_lost(host, url, notes):
    """Its lease ends while it cannot renew it; when it wakes up, the batch is another's and nothing begins twice."""
    first = host(_COUNT, sure=0.5)
    first.hear(b"submitted")
    first.hear(b"ready")
    second = host()
    second.hear(b"ready")
    reach(notes, GATE + CONCURRENCY)
    first.tell(b"freeze")
    first.stopped()
    second.tell(b"doubt")
    reach(notes, GATE + 2 * CONCURRENCY)
    first.process.send_signal(signal.SIGCONT)
    first.tell(b"pause")
    first.hear(b"batch-elsewhere")
    open_gate(notes)
    first.hear(b"ended")
    second.hear(b"ended")
    status = await ended(url)
    assert (status.counts.succeeded, status.counts.interrupted) == (_COUNT - CONCURRENCY, CONCURRENCY)
    assert begun(notes) == Counter(range(1, _COUNT + 1))
