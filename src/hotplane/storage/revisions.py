"""Brings a store's tables to the revision that this version knows. Imports `database`, `tables` and `errors`.

Alembic is imported only when there is something to do: it takes a quarter of a second, and most starts have
nothing to do.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from sqlalchemy import Connection, inspect, text

from hotplane.errors import StorageTooNew
from hotplane.storage.database import Database
from hotplane.storage.tables import REVISION_TABLE

__all__ = ["REVISIONS", "bring_up_to_date"]

REVISIONS = ("0001", "0002", "0003", "0004", "0005")
"""Every revision that this version knows, oldest first; the last one is the one it works with."""

_alembic = Lock()
"""Alembic keeps what it works on in a module: two stores of one process must not be upgraded at the same time."""


def bring_up_to_date(database: Database, connection: Connection) -> None:
    """Make or upgrade the tables. Several processes may do so at once: one does the work, the others find it done.

    Args:
        database: Whose tables; its lock on writing is held while they change.
        connection: A writing connection without a transaction.

    Raises:
        StorageTooNew: The store has a revision that this version does not know.
    """
    with connection.begin():
        database.lock(connection)
        if _needs_upgrade(database, connection):
            _upgrade(connection)


def _needs_upgrade(database: Database, connection: Connection) -> bool:
    if not inspect(connection).has_table(REVISION_TABLE):
        return True
    revision = connection.scalar(text(f"SELECT version_num FROM {REVISION_TABLE}"))  # noqa: S608 - a constant
    if revision is not None and revision not in REVISIONS:
        raise StorageTooNew(database.name, str(revision))
    return revision != REVISIONS[-1]


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    # Alembic's options are read with interpolation, so a percent sign in the path has to be doubled.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    with _alembic:
        command.upgrade(config, "head")
