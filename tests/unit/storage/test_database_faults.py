"""How failures of the drivers are sorted."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hotplane.errors import StorageCorrupt, StorageError, StorageFull, StorageUnavailable
from hotplane.storage import StorageSettings
from hotplane.storage.database import Scope
from hotplane.storage.postgres import PostgreSQL
from hotplane.storage.sqlite import SQLite

_SETTINGS = StorageSettings(url="postgresql://user:secret@server/name?password=secret")


def _sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("what SQLite says")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "scope", "kind"),
    [
        (sqlite3.SQLITE_FULL, Scope.SPACE, StorageFull),
        (sqlite3.SQLITE_IOERR_SHMSIZE, Scope.SPACE, StorageFull),
        (sqlite3.SQLITE_CORRUPT_INDEX, Scope.STORE, StorageCorrupt),
        (sqlite3.SQLITE_NOTADB, Scope.STORE, StorageCorrupt),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, Scope.STORE, StorageUnavailable),
        (sqlite3.SQLITE_READONLY, Scope.STORE, StorageUnavailable),
        (sqlite3.SQLITE_CANTOPEN, Scope.STORE, StorageUnavailable),
        (sqlite3.SQLITE_IOERR_FSYNC, Scope.CONNECTION, StorageUnavailable),
        (sqlite3.SQLITE_CONSTRAINT_CHECK, Scope.WRITE, StorageError),
        (sqlite3.SQLITE_TOOBIG, Scope.WRITE, StorageError),
    ],
)
def test_sqlite_failures_are_sorted_by_code(code, scope, kind):
    """The result code, not the words, decides whom a failure concerns."""
    fault = SQLite(Path("s.db"), StorageSettings()).fault(_sqlite_error(code))
    assert fault.scope is scope
    assert type(fault.error()) is kind


@pytest.mark.parametrize(
    ("state", "scope", "kind"),
    [
        ("53100", Scope.SPACE, StorageFull),
        ("XX002", Scope.STORE, StorageCorrupt),
        ("55P03", Scope.STORE, StorageUnavailable),
        ("57014", Scope.STORE, StorageUnavailable),
        ("53300", Scope.STORE, StorageUnavailable),
        ("25006", Scope.STORE, StorageUnavailable),
        ("08006", Scope.CONNECTION, StorageUnavailable),
        ("57P01", Scope.CONNECTION, StorageUnavailable),
        ("23514", Scope.WRITE, StorageError),
        ("22021", Scope.WRITE, StorageError),
        ("54000", Scope.WRITE, StorageError),
    ],
)
def test_postgresql_failures_are_sorted_by_state(state, scope, kind):
    """The SQLSTATE decides whom a failure concerns."""
    fault = PostgreSQL(_SETTINGS)._sort(state, "what the server says")
    assert fault.scope is scope
    assert type(fault.error()) is kind


@pytest.mark.parametrize("database", [SQLite(Path("s.db"), StorageSettings()), PostgreSQL(_SETTINGS)])
def test_a_failure_of_another_kind_concerns_one_write(database):
    """An integer that is too large for the driver is the fault of its write."""
    fault = database.fault(OverflowError("too large"))
    assert fault.scope is Scope.WRITE
    assert "OverflowError: too large" in str(fault.error())


def test_a_server_is_named_without_its_passwords():
    """Neither the password nor the one among the parameters is shown."""
    assert PostgreSQL(_SETTINGS).name == "postgresql://user:***@server/name"
