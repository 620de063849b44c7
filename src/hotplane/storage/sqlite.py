"""SQLite: one file, write-ahead log, one writer at a time. Imports `database`, `settings` and `errors`."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from hotplane.errors import StorageCorrupt, StorageUnavailable
from hotplane.storage.database import Fault, Scope, full, refused, unavailable
from hotplane.storage.settings import StorageSettings

__all__ = ["SQLite"]

_OLDEST = (3, 35, 0)
"""The first SQLite with RETURNING."""
_LOG_LIMIT = 64 * 2**20
"""Bytes that the write-ahead log keeps on disk after a burst."""
_LOG_PAGES = 2_000
"""Pages of the log after which they are copied into the file, by the commit that comes to it. Each commit changes the
same last pages of every index, so that twice as many as by default copy less. With 4 000, a single call beside a batch
waited 8 ms longer at the 99th percentile."""
_STATEMENTS = 256
"""Prepared statements kept per connection: more than the shapes of one group."""
_STEPS = 100_000
"""Steps of SQLite's machine between two looks at the clock of a read; about a millisecond."""
_MENDING = "or give another file with `--store`"


class SQLite:
    """A store in one SQLite file.

    Args:
        path: The file; it is made when it does not exist.
        settings: Durability and waiting times.
    """

    placeholder = "?"

    def __init__(self, path: Path, settings: StorageSettings) -> None:
        self.path = path.absolute()
        self.name = str(path)
        self._settings = settings
        self._identity: tuple[int, int] | None = None
        self._writing = _engine(self._connect_writer)
        self._reading = _engine(self._connect_reader)
        event.listen(self._writing, "begin", _begin_immediate)

    def open_writer(self) -> Connection:
        """Return the writing connection.

        Raises:
            StorageUnavailable: The directory or the file cannot be used; the message says which and how to mend it.
        """
        if sqlite3.sqlite_version_info < _OLDEST:
            raise StorageUnavailable(self.name, f"SQLite {sqlite3.sqlite_version} is older than 3.35; upgrade it")
        reason = _unusable(self.path)
        if reason:
            raise StorageUnavailable(self.name, reason)
        connection = self._writing.connect()
        self._identity = self._identify()
        return connection

    def open_reader(self) -> Connection:
        """Return a reading connection; it cannot write, and does not make the file."""
        connection = self._reading.connect()
        driver = cast("sqlite3.Connection", connection.connection.driver_connection)
        info = connection.info
        driver.set_progress_handler(lambda: time.monotonic() > info.get("deadline", float("inf")), _STEPS)
        return connection

    def lock(self, connection: Connection) -> None:
        """Check that the file is still the one that was opened; `BEGIN IMMEDIATE` has taken the lock already.

        Raises:
            StorageUnavailable: It was moved, deleted or replaced. SQLite would go on writing into the old file, and
                what it acknowledged would be gone at the next start.
        """
        del connection
        if self._identity is not None and self._identify() != self._identity:
            reason = "the file was moved, deleted or replaced while it was open; put it back, or restart the host"
            raise StorageUnavailable(self.name, reason)

    def execute(
        self, connection: Connection, statement: str, cells: Sequence[object] = ()
    ) -> Sequence[Sequence[object]]:
        """Execute a statement without SQLAlchemy, whose part of a small one takes longer than SQLite's."""
        driver = cast("sqlite3.Connection", connection.connection.driver_connection)
        return driver.execute(statement, cast("Sequence[str]", cells)).fetchall()

    def begin_read(self, connection: Connection) -> None:
        """Start the clock of one read."""
        connection.info["deadline"] = time.monotonic() + self._settings.read_timeout_ms / 1_000

    def fault(self, error: Exception) -> Fault:
        """Sort an exception by SQLite's own result code."""
        if isinstance(error, StorageUnavailable):
            return unavailable(self.name, error.reason)
        cause = error.orig if isinstance(error, DBAPIError) else error
        if not isinstance(cause, sqlite3.Error):
            return refused(f"{type(cause).__name__}: {cause}")
        code = getattr(cause, "sqlite_errorcode", 0)
        return self._sort(code, str(cause))

    def _sort(self, code: int, message: str) -> Fault:
        primary = code & 0xFF
        if primary == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE:
            return full(self.name)
        if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return Fault(Scope.STORE, lambda: StorageCorrupt(self.name, message))
        if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            waited = self._settings.busy_timeout_ms / 1_000
            return unavailable(self.name, f"another process has kept it locked for {waited:g} s")
        if primary == sqlite3.SQLITE_INTERRUPT:
            limit = self._settings.read_timeout_ms / 1_000
            return unavailable(self.name, f"the read took longer than {limit:g} s; narrow its filter")
        if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN):
            return unavailable(self.name, f"{message}; check its permissions and those of its directory")
        if primary in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_PROTOCOL):
            return unavailable(self.name, f"{message}; check the disk", Scope.CONNECTION)
        return refused(message)

    def _connect_writer(self) -> sqlite3.Connection:
        driver = self._connect("mode=rwc")
        try:
            self._use_log(driver)
            driver.execute(f"PRAGMA synchronous={self._settings.synchronous}")
            driver.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
            driver.execute(f"PRAGMA journal_size_limit={_LOG_LIMIT}")
        except BaseException:
            driver.close()
            raise
        return driver

    def _connect_reader(self) -> sqlite3.Connection:
        driver = self._connect("mode=rw")
        driver.execute("PRAGMA query_only=1")
        return driver

    def _connect(self, mode: str) -> sqlite3.Connection:
        # `isolation_level=None`: transactions begin where this room says so, not where the driver guesses.
        return sqlite3.connect(
            f"file:{quote(str(self.path))}?{mode}",
            uri=True,
            timeout=self._settings.busy_timeout_ms / 1_000,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS,
        )

    def _use_log(self, driver: sqlite3.Connection) -> None:
        """Switch to the write-ahead log; SQLite does not wait here when another process does the same."""
        deadline = time.monotonic() + self._settings.busy_timeout_ms / 1_000
        while True:
            try:
                (mode,) = driver.execute("PRAGMA journal_mode=WAL").fetchone()
                break
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                    raise
                time.sleep(0.01)
        if mode != "wal":
            reason = f"its file system has no shared memory for a log; use a local disk, {_MENDING}"
            raise StorageUnavailable(self.name, reason)

    def _identify(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino


def _engine(connect: Callable[[], sqlite3.Connection]) -> Engine:
    return create_engine("sqlite://", creator=connect, poolclass=NullPool)


def _begin_immediate(connection: Connection) -> None:
    # A deferred transaction that turns into a writing one fails at once when another process writes; this one waits.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _unusable(path: Path) -> str | None:
    """Return why a store cannot be at `path`, or None; the errors of SQLite itself do not say."""
    directory = path.parent
    if not directory.exists():
        return f"the directory {directory} does not exist; create it, {_MENDING}"
    if not directory.is_dir():
        return f"{directory} is not a directory; {_MENDING.removeprefix('or ')}"
    if path.is_dir():
        return f"it is a directory; name a file in it, {_MENDING}"
    if not _allowed(directory, os.W_OK | os.X_OK):
        return f"the directory {directory} is not writable; change its permissions, {_MENDING}"
    if path.exists() and not _allowed(path, os.R_OK | os.W_OK):
        return f"the file {path} is not writable; change its permissions, {_MENDING}"
    return None


def _allowed(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)
