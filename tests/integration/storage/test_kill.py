"""A host that is killed under load."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from sqlalchemy import Connection, select

from hotplane.storage import StorageSettings, Store
from hotplane.storage.tables import events, executions

_RECORDER = Path(__file__).with_name("recorder.py")


def _stored(connection: Connection) -> tuple[set[str], set[str]]:
    ids = connection.scalars(select(executions.c.id)).all()
    return set(ids), set(connection.scalars(select(events.c.execution_id)).all())


def _record_until_killed(url: str) -> set[str]:
    """Return the ids that a child acknowledged before it was killed."""
    with subprocess.Popen([sys.executable, str(_RECORDER), url], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        acknowledged = [child.stdout.readline() for _ in range(2_000)]
        child.send_signal(signal.SIGKILL)
        acknowledged += child.stdout.readlines()
        assert child.wait() == -signal.SIGKILL
    return {line.decode().strip() for line in acknowledged}


async def test_a_killed_host_loses_no_acknowledged_record(url):
    """Every id that the child printed before SIGKILL is in the store, and every record has its event."""
    acknowledged = _record_until_killed(url)
    store = await Store.open(StorageSettings(url=url))
    stored, happened = await store._readers.run(_stored)
    await store.close()
    assert len(acknowledged) >= 2_000
    assert acknowledged <= stored
    assert happened == stored
