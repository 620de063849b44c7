"""One of several hosts on a store, as a process: ``python sharing.py STORE NOTES COUNT LEASE-SECONDS``.

With a COUNT above 0 it submits a batch of so many items and says ``submitted``. Every host says ``ready``, waits until
the batch has ended, and says ``ended``. One that reads a line from its input tries to pause the batch and says what
came of it. The program appends each item's number to the file NOTES, in one write, when it begins; items above `GATE`
end when there is a file NOTES.go.
"""

from __future__ import annotations

import asyncio
import os
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


async def _pause_when_asked(host: Hotplane) -> None:
    while await asyncio.to_thread(sys.stdin.readline):
        try:
            await host.batches.pause("shared")
            os.write(1, b"paused\n")
        except HotplaneError as error:
            os.write(1, f"{error.code}\n".encode())


async def _main(store: str, notes: str, count: int, lease: float) -> None:
    os.environ["NOTES"] = notes
    holding.LEASE_SECONDS, holding.SURE_SECONDS = lease, lease * 0.8
    recovery._BEAT_SECONDS = 0.4
    async with Hotplane.from_config(configuration(store)) as host:
        if count:
            await _submit(host, count)
        asking = asyncio.create_task(_pause_when_asked(host))
        os.write(1, b"ready\n")
        await host.batches.wait("shared")
        os.write(1, b"ended\n")
        asking.cancel()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
    os._exit(0)  # the thread that reads the input may never come back
