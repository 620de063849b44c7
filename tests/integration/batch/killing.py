"""Kills a host in the middle of a batch, again and again, until a restart has finished it, and counts what happened."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hotplane.execution.batch import BatchState, BatchStatus
from hotplane.execution.batch.live import status_of
from hotplane.execution.batch.stored import decode_batch
from hotplane.identity import new_id
from hotplane.records import ExecutionStatus
from hotplane.storage import StorageSettings, Store

_HOSTING = Path(__file__).with_name("hosting.py")
_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Outcome:
    """What came of one batch."""

    idempotent: bool
    kills: int
    accepted: int
    """Items whose `add` had returned before the first kill."""
    items: int
    """Items that the ledger has at the end."""
    finished: int
    """Items with a result that says how they ended."""
    interrupted: int
    repeated: int
    """Items that began more than once."""
    rerun: int
    """Items that began again after their result was committed."""
    lost: int
    """Accepted items without a result."""
    truncated: bool


def kill_and_finish(folder: Path, url: str, *, idempotent: bool, count: int, kills: int, seed: int) -> Outcome:
    """Run a batch of `count` items in a host that is killed `kills` times at random moments, then left alone."""
    moments = random.Random(seed)
    notes = folder / f"notes-{new_id()}"
    notes.touch()
    accepted = 0
    before: list[tuple[int, frozenset[int]]] = []
    for number in range(kills):
        # The first kill comes early, often in the middle of the upload.
        told = _run(url, notes, count, idempotent, moments.uniform(0.0, 0.5 if number else 0.1))
        accepted = max(accepted, told)
        before.append((notes.stat().st_size, asyncio.run(_finished(url))))
    _run(url, notes, count, idempotent, None)
    return asyncio.run(_count(url, notes, before, idempotent=idempotent, kills=kills, accepted=accepted))


def _run(url: str, notes: Path, count: int, idempotent: bool, seconds: float | None) -> int:
    """Run a host, kill it some seconds after it is ready, or wait for its end; return how many items it took in."""
    command = [sys.executable, str(_HOSTING), url, str(notes), str(count), "yes" if idempotent else "no"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=_ROOT, env=_environment()) as host:
        assert host.stdout is not None
        try:
            lines = [host.stdout.readline()]
            if seconds is None:
                lines += host.stdout.readlines()
                assert lines[-1] == b"done\n", lines
            else:
                time.sleep(seconds)
        finally:
            host.kill()
        lines += host.stdout.readlines()
    time.sleep(0.3)  # a database server may still be committing what the killed host had sent
    return max((int(line.split()[1]) for line in lines if line.startswith(b"added")), default=0)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(_ROOT)}


async def _finished(url: str) -> frozenset[int]:
    """Return the positions that have their result now."""
    store = await Store.open(StorageSettings(url=url))
    try:
        return frozenset(await _results(store))
    finally:
        await store.close()


async def _results(store: Store) -> dict[int, str]:
    found = await store.ledger.find("killed")
    statuses: dict[int, str] = {}
    after = 0
    while found is not None:
        page = await store.ledger.results(found.number, after=after, limit=1_000)
        if not page:
            break
        statuses |= {each.position: each.status for each in page}
        after = page[-1].sequence
    return statuses


async def _count(
    url: str, notes: Path, before: list[tuple[int, frozenset[int]]], *, idempotent: bool, kills: int, accepted: int
) -> Outcome:
    store = await Store.open(StorageSettings(url=url))
    try:
        found = await store.ledger.find("killed")
        assert found is not None
        status: BatchStatus = status_of(decode_batch(found.body), BatchState(found.state))
        statuses = await _results(store)
    finally:
        await store.close()
    raw = notes.read_bytes()  # noqa: ASYNC240 - nothing else runs on this loop
    begun = Counter(int(line) for line in raw.split())
    again = {int(line) for size, done in before for line in raw[size:].split() if int(line) in done}
    return Outcome(
        idempotent=idempotent,
        kills=kills,
        accepted=accepted,
        items=status.items,
        finished=sum(each != ExecutionStatus.INTERRUPTED for each in statuses.values()),
        interrupted=sum(each == ExecutionStatus.INTERRUPTED for each in statuses.values()),
        repeated=sum(times > 1 for times in begun.values()),
        rerun=len(again),
        lost=len(set(range(1, max(accepted, status.items) + 1)) - statuses.keys()),
        truncated=status.truncated,
    )
