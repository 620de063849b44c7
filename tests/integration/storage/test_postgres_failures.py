"""What a PostgreSQL store says and keeps when its server or its connection fails."""

from __future__ import annotations

import sys

import psycopg
import pytest

from hotplane.errors import Invalid, MissingExtra, StorageCorrupt, StorageError, StorageTooNew, StorageUnavailable
from hotplane.storage import EventFilter, StorageSettings, Store
from hotplane.storage.postgres import _LOCK


@pytest.fixture
def address(postgres) -> str:
    """The address of a new database."""
    return postgres.new_database()


_FOR_EVER = "SELECT pg_sleep(3600)"


def _connect(address: str) -> psycopg.Connection:
    return psycopg.connect(address, autocommit=True)


async def test_the_password_is_never_shown(address):
    """Neither the store's address nor its settings or errors hold the password."""
    settings = StorageSettings(url=address)
    store = await Store.open(settings)
    await store.close()
    assert store.url.startswith("postgresql://hotplane:***@/test")
    assert "secret" not in store.url + repr(settings)
    with pytest.raises(StorageUnavailable) as caught:
        await Store.open(StorageSettings(url=address.replace("/test", "/missing")))
    assert "does not exist" in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_a_connection_that_was_cut_is_opened_again(address, execution):
    """A write and a read on cut connections succeed, because nothing had been stored yet."""
    store = await Store.open(StorageSettings(url=address, readers=1))
    await store.record(execution())
    await store.list_executions()
    with _connect(address) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await store.record(execution())
    assert await store.count_executions() == 2
    await store.close()


async def test_a_server_that_is_away_is_unavailable(postgres):
    """No server at the address is an error that says so."""
    address = f"postgresql://hotplane@/test?host={postgres.folder}/nowhere"
    with pytest.raises(StorageUnavailable, match="nowhere"):
        await Store.open(StorageSettings(url=address))


async def test_a_lock_that_stays_is_unavailable(address, execution):
    """A write waits for the lock that all writers share, but not for ever."""
    store = await Store.open(StorageSettings(url=address, busy_timeout_ms=50))
    with _connect(address) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        with pytest.raises(StorageUnavailable, match="locked"):
            await store.record(execution())
        other.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])  # its end would be a moment after `with`
    await store.record(execution())
    await store.close()


async def test_tables_are_made_under_the_lock(address):
    """A host that opens a new store waits for another one that may be making the tables."""
    settings = StorageSettings(url=address, busy_timeout_ms=50)
    with _connect(address) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        with pytest.raises(StorageUnavailable, match="locked"):
            await Store.open(settings)
        other.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
    await (await Store.open(settings)).close()


async def test_text_that_the_server_cannot_hold_fails_alone(address, execution):
    """A NUL in a column is an error of that record, which does not quote it with the statement."""
    store = await Store.open(StorageSettings(url=address))
    with pytest.raises(StorageError, match="NUL") as caught:
        await store.record(execution(task_id="a\0b"))
    assert "INSERT" not in str(caught.value)
    await store.record(execution())
    await store.close()


async def test_a_store_of_a_newer_version_is_refused(address):
    """A revision that this version does not know is left alone."""
    await (await Store.open(StorageSettings(url=address))).close()
    with _connect(address) as other:
        other.execute("UPDATE hotplane_revision SET version_num = '9999'")
    with pytest.raises(StorageTooNew):
        await Store.open(StorageSettings(url=address))


@pytest.mark.parametrize(("level", "expected"), [("FULL", "on"), ("NORMAL", "off")])
async def test_the_server_is_told_how_safely_to_commit(address, level, expected):
    """FULL raises a weaker setting of the server, NORMAL lowers it."""
    with _connect(address) as other:
        other.execute("ALTER ROLE hotplane SET synchronous_commit = 'local'")
    store = await Store.open(StorageSettings(url=address, synchronous=level))
    connection = store._writer._committer.connect()
    with connection.begin():
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == expected
    await store.close()


async def test_a_reader_cannot_write_and_is_stopped(address):
    """A mistake in a query can neither change the store nor run for ever."""
    for limit, statement, words in (
        (60_000, "DELETE FROM hotplane_tasks", "read-only"),
        (20, _FOR_EVER, "took longer"),
    ):
        store = await Store.open(StorageSettings(url=address, read_timeout_ms=limit))
        with pytest.raises(StorageUnavailable, match=words):
            await store._readers.run(lambda connection, each=statement: connection.exec_driver_sql(each))
        await store.close()


async def test_damage_that_the_server_reports_is_damage(address, execution):
    """The server's own word for a damaged page becomes ours."""
    store = await Store.open(StorageSettings(url=address))
    broken = "DO $$ BEGIN RAISE EXCEPTION 'invalid page' USING ERRCODE = 'XX001'; END $$"
    with pytest.raises(StorageCorrupt, match="invalid page"):
        await store._readers.run(lambda connection: connection.exec_driver_sql(broken))
    await store.close()


async def test_what_no_row_can_have_is_no_failure_of_the_store(address):
    """Whoever looks for a text with a NUL asks for something that cannot be, which is their error."""
    store = await Store.open(StorageSettings(url=address))
    with pytest.raises(Invalid, match=r"U\+0000"):
        await store.event_log.newest(EventFilter(execution_id="a\0"))
    with pytest.raises(Invalid, match=r"U\+0000"):
        await store.get_execution("a\0")
    await store.close()


async def test_without_the_driver_the_extra_is_named(monkeypatch):
    """The message has the command that installs what is missing."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra, match=r"hotplane\[postgres\]"):
        await Store.open(StorageSettings(url="postgresql://localhost/x"))


async def test_an_address_that_cannot_be_read_is_not_quoted():
    """A broken address may hold a password, so it is not repeated."""
    with pytest.raises(StorageUnavailable) as caught:
        await Store.open(StorageSettings(url="postgresql://u:secret@host:port/x"))
    assert "secret" not in str(caught.value)
