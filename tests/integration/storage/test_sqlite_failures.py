"""What a SQLite store says and keeps when its file, its disk or its lock fails."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Connection

from hotplane.errors import Overloaded, StorageCorrupt, StorageFull, StorageSlow, StorageTooNew, StorageUnavailable
from hotplane.log import capture_logs
from hotplane.storage import StorageSettings, Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "store.db"


def _settings(path: Path, **fields: object) -> StorageSettings:
    return StorageSettings.model_validate({"url": str(path), "busy_timeout_ms": 50, **fields})


def _limit_pages(store: Store, pages: int) -> None:
    driver = store._writer._committer.connect().connection.driver_connection
    assert driver is not None
    driver.execute(f"PRAGMA max_page_count={pages}")


async def _open_and_read(path: Path) -> None:
    store = await Store.open(_settings(path))
    try:
        await store.list_executions()
    finally:
        await store.close()


async def _until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_a_full_disk_loses_nothing_and_heals(path, execution):
    """A record without room is refused; what was stored stays, and with room the store works again."""
    store = await Store.open(_settings(path))
    kept = await store.record(execution())
    _limit_pages(store, 1)
    with pytest.raises(StorageFull):
        await store.record(execution(input="x" * 100_000))
    assert "full" in (store.stats().failing or "")
    _limit_pages(store, 2**30)
    later = await store.record(execution())
    assert store.stats().failing is None
    assert (await store.list_executions()).items == (later, kept)
    assert (kept.sequence, later.sequence) == (1, 2)
    await store.close()


async def test_a_large_record_without_room_does_not_fail_small_ones(path, execution):
    """When only some of a group fit, those are stored."""
    store = await Store.open(_settings(path))
    pages = path.stat().st_size // 4096 + 40
    _limit_pages(store, pages)
    crowd = [execution(id=f"small-{number}") for number in range(20)]
    crowd[9] = execution(id="large", input="x" * 1_000_000)
    outcomes = await asyncio.gather(*(store.record(each) for each in crowd), return_exceptions=True)
    assert [type(each) for each in outcomes if isinstance(each, Exception)] == [StorageFull]
    assert await store.count_executions() == 19
    await store.close()


async def test_a_locked_store_is_waited_for(path, execution):
    """A write goes on when the other process lets go within the time."""
    store = await Store.open(_settings(path, busy_timeout_ms=120_000))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    recording = asyncio.create_task(store.record(execution()))
    await _until(lambda: store._writer._group)
    other.execute("COMMIT")
    assert (await recording).sequence == 1
    other.close()
    await store.close()


async def test_a_store_that_stays_locked_is_unavailable(path, execution):
    """After the time the whole group fails, and the next one works when the lock is gone."""
    store = await Store.open(_settings(path))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable, match=r"locked for 0\.05 s"):
        await store.record(execution())
    other.close()
    await store.record(execution())
    await store.close()


async def test_a_queue_that_is_full_refuses(path, execution):
    """Beyond the limit callers hear at once that the store cannot follow."""
    store = await Store.open(_settings(path, queue_limit=2, busy_timeout_ms=120_000))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    first = asyncio.create_task(store.record(execution()))
    await _until(lambda: store._writer._group)
    waiting = [asyncio.create_task(store.record(execution())) for _ in range(2)]
    await _until(lambda: store.depth == 2)
    with pytest.raises(Overloaded, match=r"`storage\.queue_limit`"):
        await store.record(execution())
    other.close()
    await asyncio.gather(first, *waiting)
    await store.close()


async def test_closing_is_bounded(path, execution):
    """A store that cannot write closes all the same, and says of a record that it may still appear."""
    store = await Store.open(_settings(path, busy_timeout_ms=120_000))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    recording = asyncio.create_task(store.record(execution(id="late")))
    await _until(lambda: store._writer._group)
    with capture_logs() as logs:
        await store.close(grace=0.05)
    with pytest.raises(StorageSlow, match="late"):
        await recording
    other.close()
    assert logs[0]["writes"] == 1
    await asyncio.to_thread(store._writer._thread.join, 60)
    assert not store._writer._thread.is_alive()


async def test_a_file_that_is_no_database_is_refused(path):
    """Another file is neither read nor overwritten."""
    path.write_bytes(b"no database at all, just some text" * 200)
    with pytest.raises(StorageCorrupt, match="not a database"):
        await Store.open(_settings(path))
    assert path.read_bytes().startswith(b"no database")


async def test_a_damaged_store_says_so(path, execution):
    """Pages that were overwritten are reported as damage, for reading and for writing."""
    store = await Store.open(_settings(path))
    await asyncio.gather(*(store.record(execution(input="x" * 500)) for _ in range(300)))
    await store.close()
    with path.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xff" * (path.stat().st_size - 2 * 4096))
    with pytest.raises(StorageCorrupt):
        await _open_and_read(path)


async def test_a_row_that_holds_something_else_is_damage(path, execution):
    """A body that cannot be decoded is reported as damage of the store."""
    store = await Store.open(_settings(path))
    await store.record(execution())
    with sqlite3.connect(path) as other:
        other.execute("UPDATE hotplane_executions SET body = x'7b7d'")
    other.close()
    with pytest.raises(StorageCorrupt, match="missing required field"):
        await store.list_executions()
    await store.close()


async def test_a_store_of_a_newer_version_is_refused(path):
    """A revision that this version does not know is left alone."""
    await (await Store.open(_settings(path))).close()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE hotplane_revision SET version_num = '9999'")
    other.close()
    with pytest.raises(StorageTooNew, match="9999"):
        await Store.open(_settings(path))


async def test_a_store_that_was_deleted_under_the_host_takes_no_more(path, execution):
    """Nothing is acknowledged that would be gone at the next start."""
    store = await Store.open(_settings(path))
    await store.record(execution())
    path.rename(path.with_suffix(".old"))
    with pytest.raises(StorageUnavailable, match="moved, deleted or replaced"):
        await store.record(execution())
    await store.close()


async def test_a_read_that_takes_too_long_is_stopped(path, execution):
    """A reader does not keep the log from being emptied for ever."""
    store = await Store.open(_settings(path, read_timeout_ms=1))
    await asyncio.gather(*(store.record(execution()) for _ in range(2_000)))
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    with pytest.raises(StorageUnavailable, match="took longer"):
        await store._readers.run(lambda connection: connection.exec_driver_sql(endless).all())
    assert await store.get_execution((await store.list_executions(limit=1)).items[0].id)
    await store.close()


async def test_a_reader_cannot_write(path):
    """A mistake in a query cannot change the store."""
    store = await Store.open(_settings(path))
    with pytest.raises(StorageUnavailable, match="readonly"):
        await store._readers.run(lambda connection: connection.exec_driver_sql("DELETE FROM hotplane_tasks"))
    await store.close()


async def test_places_that_cannot_be_are_named(tmp_path):
    """A missing directory, a directory as the file, and a file as the directory each say what they are."""
    (tmp_path / "file").touch()
    for place, words in (
        (tmp_path / "missing" / "s.db", "does not exist; create it"),
        (tmp_path, "is a directory"),
        (tmp_path / "file" / "s.db", "is not a directory"),
    ):
        with pytest.raises(StorageUnavailable, match=words):
            await Store.open(_settings(place))


_OPEN = """
import asyncio, os, sys
from hotplane.storage import Store, StorageSettings
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
async def main():
    for place in sys.argv[1:]:
        try:
            await Store.open(StorageSettings(url=place, busy_timeout_ms=120_000))
        except Exception as error:
            print(type(error).__name__, error)
asyncio.run(main())
"""


def test_what_may_not_be_written_is_named():
    """An unwritable directory and an unwritable file each say so, to a user who is not root."""
    with tempfile.TemporaryDirectory(prefix="hotplane-") as folder:
        closed, opened = Path(folder, "closed"), Path(folder, "opened")
        closed.mkdir(0o555)
        opened.mkdir()
        Path(folder).chmod(0o755)
        file = opened / "s.db"
        file.touch()
        opened.chmod(0o777)
        file.chmod(0o444)
        command = [sys.executable, "-c", _OPEN, str(closed / "s.db"), str(file)]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[0] for line in output] == ["StorageUnavailable"] * 2
    assert f"{closed} is not writable" in output[0]
    assert f"{file} is not writable" in output[1]


def test_two_processes_make_a_store_at_once(path):
    """Opening a new store from two processes at the same moment works for all of them."""
    command = [sys.executable, "-c", _OPEN.replace("os.geteuid() == 0", "False"), str(path)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
    outputs = [child.communicate(timeout=120)[0] for child in children]
    assert outputs == [b""] * 2


async def test_a_cancelled_read_is_forgotten(path, execution):
    """Nobody waits for its result any more, and the next read is served."""
    store = await Store.open(_settings(path, readers=1))
    await store.record(execution())
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    started, release = Event(), Event()

    def read(_connection: Connection) -> bool:
        started.set()
        return release.wait(60)

    reading = asyncio.create_task(store._readers.run(read))
    await _until(started.is_set)
    reading.cancel()
    await asyncio.wait([reading])
    release.set()
    assert await store.count_executions() == 1
    assert complaints == []
    await store.close()
