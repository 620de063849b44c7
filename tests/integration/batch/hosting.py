"""A host process that runs batches and is killed: ``python hosting.py STORE LEDGER-FILE COUNT IDEMPOTENT``.

It submits a batch of COUNT items when the store has none yet, prints ``ready``, and ends with ``done`` when no batch is
left. The program appends each item's number to LEDGER-FILE, in one write, when it begins.
"""

from __future__ import annotations

import asyncio
import os
import sys

from hotplane import Hotplane
from hotplane.execution.batch import BatchOptions, NewItem

_CHUNK = 100


async def note(value: int) -> int:
    """Write down that the item runs, and take a moment."""
    descriptor = os.open(os.environ["NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{value}\n".encode())
    os.close(descriptor)
    await asyncio.sleep(0.002)
    return value


def configuration(store: str, *, idempotent: bool) -> dict[str, object]:
    """Return what the killed host and the one that looks after it have in common."""
    task = {"id": "note", "program": "tests.integration.batch.hosting:note", "idempotent": idempotent}
    programs = {"allow": ["tests.integration.batch.hosting"]}
    return {"storage": {"url": store}, "programs": programs, "tasks": [task]}


async def _submit(host: Hotplane, count: int) -> None:
    made = await host.batches.create(BatchOptions(task_id="note", max_concurrency=16, id="killed"))
    for first in range(1, count + 1, _CHUNK):
        numbers = range(first, min(first + _CHUNK, count + 1))
        await host.batches.add(made.id, [NewItem(position=n, item_id=str(n), input=n) for n in numbers])
        os.write(1, f"added {numbers[-1]}\n".encode())
    await host.batches.seal(made.id)


async def _main(store: str, notes: str, count: int, *, idempotent: bool) -> None:
    os.environ["NOTES"] = notes
    async with Hotplane.from_config(configuration(store, idempotent=idempotent)) as host:
        os.write(1, b"ready\n")
        if not (await host.batches.list()).items:
            await _submit(host, count)
        await host.batches.wait("killed")
        os.write(1, b"done\n")


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3]), idempotent=sys.argv[4] == "yes"))
