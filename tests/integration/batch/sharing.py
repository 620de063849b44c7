"""One of several hosts on a store, as a process: ``python sharing.py STORE NOTES COUNT SURE-SECONDS``.

With a COUNT above 0 it submits a batch of so many items and says ``submitted``. Every host says ``ready``, waits until
the batch has ended, and says ``ended``. It does what the lines of its input say: ``pause`` the batch, and say what
came of it; ``freeze``, in no transaction, which would keep the others from writing; ``doubt`` a lease that was not
renewed for half a second. The program appends each item's number to the file NOTES, in one write, when it begins;
items above `GATE` end when there is a file NOTES.go.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from hotplane import Hotplane
from hotplane.errors import HotplaneError
from hotplane.execution.batch import BatchOptions, NewItem, holding, recovery

CONCURRENCY = 8
GATE = 100
_ITEM_SECONDS = 0.005


async def note(value: int) -> int:
    """Write down that the item runs, and take a moment."""
    descriptor = os.open(os.environ["NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{value}\n".encode())
    os.close(descriptor)
    await asyncio.sleep(_ITEM_SECONDS)
    while value > GATE and not Path(f"{os.environ['NOTES']}.go").exists():  # noqa: ASYNC110, ASYNC240 - a test's gate
        await asyncio.sleep(_ITEM_SECONDS)
    return value


def configuration(store: str) -> dict[str, object]:
    """Return what all hosts have in common; nothing of the task may run twice."""
    task = {"id": "note", "program": "tests.integration.batch.sharing:note", "idempotent": False}
    programs = {"allow": ["tests.integration.batch.sharing"]}
    return {"storage": {"url": store}, "programs": programs, "tasks": [task]}


async def _submit(host: Hotplane, count: int) -> None:
    made = await host.batches.create(BatchOptions(task_id="note", max_concurrency=CONCURRENCY, id="shared"))
    await host.batches.add(made.id, [NewItem(position=n, item_id=str(n), input=n) for n in range(1, count + 1)])
    await host.batches.seal(made.id)
    os.write(1, b"submitted\n")


async def _obey(host: Hotplane) -> None:
    while line := await asyncio.to_thread(sys.stdin.readline):
        match line.strip():
            case "pause":
                await _pause(host)
            case "freeze":
                await _freeze(host)
            case _:
                holding.LEASE_SECONDS = 0.5


async def _pause(host: Hotplane) -> None:
    try:
        await host.batches.pause("shared")
        os.write(1, b"paused\n")
    except HotplaneError as error:
        os.write(1, f"{error.code}\n".encode())


async def _freeze(host: Hotplane) -> None:
    writer = host.store._writer
    while len(writer.intake) or writer._group:  # noqa: ASYNC110 - the writer tells nobody
        await asyncio.sleep(_ITEM_SECONDS)
    os.kill(os.getpid(), signal.SIGSTOP)


async def _main(store: str, notes: str, count: int, sure: float) -> None:
    os.environ["NOTES"] = notes
    holding.LEASE_SECONDS, holding.SURE_SECONDS = 3_600.0, sure
    recovery._BEAT_SECONDS = 0.4
    async with Hotplane.from_config(configuration(store)) as host:
        if count:
            await _submit(host, count)
        asking = asyncio.create_task(_obey(host))
        os.write(1, b"ready\n")
        await host.batches.wait("shared")
        os.write(1, b"ended\n")
        asking.cancel()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
    os._exit(0)  # the thread that reads the input may never come back
