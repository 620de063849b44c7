"""PostgreSQL through psycopg 3: several hosts write into one store. Imports `database`, `settings` and `errors`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module

from sqlalchemy import URL, Connection, create_engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from hotplane.errors import Invalid, MissingExtra, StorageCorrupt, StorageUnavailable
from hotplane.storage.database import Fault, Scope, full, refused, unavailable
from hotplane.storage.settings import StorageSettings

__all__ = ["PostgreSQL"]

_LOCK = 0x686F_7470_6C61_6E65
"""The key of the advisory lock that all writers of a database share: "hotplane" in ASCII."""
_CONNECT_SECONDS = 5
_NUL = "cannot contain NUL"
"""What psycopg says, before it asks the server, of a text that PostgreSQL has no place for."""
_SILENCE_MS = 15_000
"""How long sent bytes may stay unacknowledged before the connection counts as lost."""


class PostgreSQL:
    """A store in one PostgreSQL database.

    Args:
        settings: The address, durability and waiting times.

    Raises:
        MissingExtra: psycopg is not installed.
        StorageUnavailable: The address cannot be read.
    """

    placeholder = "%s"

    def __init__(self, settings: StorageSettings) -> None:
        try:
            import_module("psycopg")
        except ImportError:
            raise MissingExtra("PostgreSQL", "postgres") from None
        self._settings = settings
        url = _address(settings.url)
        self.name = _safe(url)
        self._engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            isolation_level="READ COMMITTED",
            connect_args=_connect_args(url),
        )

    def open_writer(self) -> Connection:
        """Return the writing connection.

        Raises:
            DBAPIError: The server cannot be reached or refuses; `fault` sorts it.
        """
        connection = self._engine.connect()
        with connection.begin():
            connection.exec_driver_sql(f"SET SESSION lock_timeout = {self._settings.busy_timeout_ms}")
            connection.exec_driver_sql(_durability(self._settings))
        return connection

    def open_reader(self) -> Connection:
        """Return a reading connection, which the server keeps from writing and from reading too long."""
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("SET SESSION default_transaction_read_only = on")
        connection.exec_driver_sql(f"SET SESSION statement_timeout = {self._settings.read_timeout_ms}")
        connection.commit()
        return connection

    def lock(self, connection: Connection) -> None:
        """Take the advisory lock of all writers until the transaction ends.

        A transaction becomes visible before it lets go of its locks, so the order of sequences, which are given
        under the lock, is the order in which readers come to see them.
        """
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")

    def execute(
        self, connection: Connection, statement: str, cells: Sequence[object] = ()
    ) -> Sequence[Sequence[object]]:
        """Execute a statement of the driver's and return its rows."""
        result = connection.exec_driver_sql(statement, tuple(cells))
        return result.all() if result.returns_rows else ()

    def begin_read(self, connection: Connection) -> None:
        """Do nothing: the server itself watches the time."""

    def fault(self, error: Exception) -> Fault:
        """Sort an exception by its SQLSTATE."""
        if not isinstance(error, DBAPIError):
            return refused(f"{type(error).__name__}: {error}")
        state = getattr(error.orig, "sqlstate", None)
        message = _message(error)
        if state is None and _NUL in message:
            return replace(refused(message), of_read=lambda: Invalid("No name or id has the character U+0000 (NUL)."))
        if state is None:
            lost = error.connection_invalidated or type(error.orig).__name__ == "OperationalError"
            return unavailable(self.name, message, Scope.CONNECTION) if lost else refused(message)
        return self._sort(str(state), message)

    def _sort(self, state: str, message: str) -> Fault:
        if state == "53100":
            return full(self.name)
        if state in ("XX001", "XX002"):
            return Fault(Scope.STORE, lambda: StorageCorrupt(self.name, message))
        if state == "55P03":
            waited = self._settings.busy_timeout_ms / 1_000
            return unavailable(self.name, f"another process has kept it locked for {waited:g} s")
        if state == "57014":
            limit = self._settings.read_timeout_ms / 1_000
            return unavailable(self.name, f"the read took longer than {limit:g} s; narrow its filter")
        if state.startswith(("08", "57P")):
            return unavailable(self.name, message, Scope.CONNECTION)
        # Errors of data, constraints and programs concern one write; the rest concern the server.
        if state.startswith(("21", "22", "23", "54")):
            return refused(message)
        return unavailable(self.name, message)


def _address(url: str) -> URL:
    try:
        return make_url(url)
    except Exception:
        raise StorageUnavailable(
            "postgresql://…", "its address is not postgresql://user:password@server/database"
        ) from None


def _safe(url: URL) -> str:
    # Query parameters may hold a password too; the address without them says enough.
    return url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)


def _connect_args(url: URL) -> dict[str, str | int]:
    wanted: dict[str, str | int] = {
        "connect_timeout": _CONNECT_SECONDS,
        "tcp_user_timeout": _SILENCE_MS,
        "application_name": "hotplane",
    }
    return {name: value for name, value in wanted.items() if name not in url.query}


def _durability(settings: StorageSettings) -> str:
    if settings.synchronous == "NORMAL":
        return "SET SESSION synchronous_commit = off"
    # The server may be set to something stronger, such as waiting for a standby: only weaker is raised.
    return (
        "SELECT set_config('synchronous_commit', 'on', false)"
        " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
    )


def _message(error: DBAPIError) -> str:
    """Return the server's primary message: details would quote the data."""
    primary = getattr(getattr(error.orig, "diag", None), "message_primary", None)
    return " ".join(str(primary or error.orig).split())
