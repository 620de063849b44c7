"""A child process that records without end and prints the id of each record that was acknowledged."""

from __future__ import annotations

import asyncio
import os
import sys

from hotplane.identity import new_id
from hotplane.records import Event, EventType, Execution, ExecutionStatus, now
from hotplane.storage import StorageSettings, Store


async def _record_for_ever(store: Store) -> None:
    while True:
        execution = Execution(
            id=new_id(), task_id="t", program="a:b", status=ExecutionStatus.SUCCESS, input="x" * 300, started_at=now()
        )
        happened = Event(id=new_id(), type=EventType.PROGRAM_EXECUTION_COMPLETED, time=now(), execution_id=execution.id)
        await store.record(execution, [happened])
        # One small write to a pipe is whole or not there at all.
        os.write(1, f"{execution.id}\n".encode())


async def _main(url: str) -> None:
    store = await Store.open(StorageSettings(url=url))
    await asyncio.gather(*(_record_for_ever(store) for _ in range(64)))


asyncio.run(_main(sys.argv[1]))
