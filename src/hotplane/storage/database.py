"""What the rest of the room needs of a database, and how its failures are sorted. Imports only `errors`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from sqlalchemy import Connection

from hotplane.errors import HotplaneError, StorageError, StorageFull, StorageUnavailable

__all__ = ["Database", "Fault", "Scope", "full", "refused", "unavailable"]


class Scope(Enum):
    """Whom a failure concerns, and so what may be tried next."""

    WRITE = "one write is not storable: the others of its group may be"
    SPACE = "there is no room: smaller groups may fit"
    STORE = "nothing can be stored now: trying again at once is useless"
    CONNECTION = "the connection is gone: a new one may work"


@dataclass(frozen=True, slots=True)
class Fault:
    """A sorted failure."""

    scope: Scope
    error: Callable[[], HotplaneError]
    """Makes the exception: each waiter gets its own, because a traceback grows on each that is raised."""
    of_read: Callable[[], HotplaneError] | None = None
    """The same for who only reads, where that differs."""


class Database(Protocol):
    """One kind of database, SQLite or PostgreSQL; safe to use from several threads."""

    name: str
    """The store's address, safe to show: without a password."""
    placeholder: str
    """How its driver marks a parameter."""

    def open_writer(self) -> Connection:
        """Return a new connection for the writing thread. Its transactions are begun and committed by the caller."""
        ...

    def open_reader(self) -> Connection:
        """Return a new connection that reads, one transaction for each statement."""
        ...

    def lock(self, connection: Connection) -> None:
        """Make other writers wait until the transaction of `connection` ends; called first in each of them."""
        ...

    def execute(
        self, connection: Connection, statement: str, cells: Sequence[object] = ()
    ) -> Sequence[Sequence[object]]:
        """Execute a statement of the driver's and return its rows; for the few that every group has."""
        ...

    def begin_read(self, connection: Connection) -> None:
        """Start the clock of the limit on one read."""
        ...

    def fault(self, error: Exception) -> Fault:
        """Sort an exception that a connection raised."""
        ...


def unavailable(name: str, reason: str, scope: Scope = Scope.STORE) -> Fault:
    """Return the fault of a store that cannot be used now."""
    return Fault(scope, lambda: StorageUnavailable(name, reason))


def full(name: str) -> Fault:
    """Return the fault of a store without room."""
    return Fault(Scope.SPACE, lambda: StorageFull(name))


def refused(reason: str) -> Fault:
    """Return the fault of a write that the database does not take."""
    return Fault(Scope.WRITE, lambda: StorageError(f"The store refused this: {reason}."))
