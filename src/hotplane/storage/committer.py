"""Stores groups of writes, one commit each, and finds the guilty when a group fails.

Imports `database`, `writes` and `errors`. It belongs to one thread and knows nothing of loops, queues or threads.
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import cast

from sqlalchemy import Connection, Table

from hotplane.errors import Conflict, HotplaneError
from hotplane.log import get_logger
from hotplane.storage.database import Database, Fault, Scope
from hotplane.storage.inserting import DELIVERIES, ENDINGS, Shape, deliveries_of_all, endings_of_all, inserts, whole
from hotplane.storage.tables import batch_results, events, executions
from hotplane.storage.writes import Addressee, Cell, Row, Write

__all__ = ["Committer"]

_log = get_logger(room="storage")

_ALLOCATE = "UPDATE hotplane_counters SET value = value + {} WHERE name = 'sequence' RETURNING value"


class Committer:
    """Owns the writing connection and opens it again when it is lost.

    Args:
        database: Where to write.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._committing = False
        self.commits = 0
        """Transactions committed so far."""

    def connect(self) -> Connection:
        """Return the connection, opening it when there is none."""
        if self._connection is None:
            self._connection = self._database.open_writer()
        return self._connection

    def close(self) -> None:
        """Close the connection; what was not committed is rolled back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # A connection that is broken already may fail to close; there is nothing left to save on it.
            with contextlib.suppress(Exception):
                connection.close()

    def store(self, writes: Sequence[Write]) -> Fault | None:
        """Store `writes`: each ends with its `sequence`, or with its `error` set.

        All go into one commit. When that fails because of a write that cannot be stored, or for want of room, the
        group is halved until only the guilty ones are left, so that one of them costs a handful of commits and
        the order is kept.

        Returns:
            The fault that kept some from being stored, the last one when there were several; None when all are stored.
        """
        fault = self._attempt(writes)
        if fault is None:
            return None
        if fault.scope in (Scope.WRITE, Scope.SPACE) and len(writes) > 1:
            middle = len(writes) // 2
            first = self.store(writes[:middle])
            return self.store(writes[middle:]) or first
        for write in writes:
            write.error = fault.error()
        return fault

    def _attempt(self, writes: Sequence[Write]) -> Fault | None:
        reused = self._connection is not None
        fault = self._transact(writes)
        # An idle connection may have been cut long ago. As long as COMMIT was not sent nothing can have been stored,
        # and the same writes may go through a new connection; after that they might be stored twice.
        if fault is not None and fault.scope is Scope.CONNECTION and reused and not self._committing:
            fault = self._transact(writes)
        return fault

    def _transact(self, writes: Sequence[Write]) -> Fault | None:
        self._committing = False
        try:
            connection = self.connect()
            connection.begin()
            self._database.lock(connection)
            self._apply(connection, writes)
            self._committing = True
            connection.commit()
        except Conflict as conflict:  # a write's own work found that it must not be stored
            fault = Fault(Scope.WRITE, _again(conflict))
            self._abandon(fault)
            return fault
        except Exception as error:
            fault = self._database.fault(error)
            self._abandon(fault)
            return fault
        self.commits += 1
        return None

    def _abandon(self, fault: Fault) -> None:
        """Leave no transaction behind: make the connection usable again, or close it."""
        connection = self._connection
        if connection is None or fault.scope in (Scope.STORE, Scope.CONNECTION):
            self.close()
            return
        try:
            connection.rollback()
            # SQLAlchemy holds a transaction whose COMMIT failed for ended. SQLite does not: after a full disk or a
            # deferred constraint it is still open, and the next BEGIN would fail.
            connection.connection.rollback()
        except Exception:  # whatever it is, a new connection mends it
            _log.warning("a connection could not be rolled back and is opened again", exc_info=True)
            self.close()

    def _apply(self, connection: Connection, writes: Sequence[Write]) -> None:
        sheet = _Sheet(self._allocate(connection, sum(write.needs for write in writes)))
        for write in writes:
            sheet.add(write)
        for statement, values in sheet.statements(self._database.placeholder):
            self._database.execute(connection, statement, values)
        for write in writes:
            for statement in write.statements:
                connection.execute(statement)
            if write.work is not None:
                write.work(connection)

    def _allocate(self, connection: Connection, count: int) -> int:
        """Return the first of `count` new sequences; a rollback gives them back."""
        if not count:
            return 0
        ((last,),) = self._database.execute(connection, _ALLOCATE.format(count))
        return cast("int", last) - count + 1


class _Sheet:
    """The rows of a group by their shape and what they have in common, with their sequences.

    Args:
        sequence: The first one that may be given.
    """

    def __init__(self, sequence: int) -> None:
        self._next = sequence
        self._now = time.time_ns() // 1_000
        self._executions: list[Cell] = []
        self._records = 0
        self._endings: list[tuple[int, Row]] = []
        self._events: list[int] = []
        self._addressed: defaultdict[str, list[int]] = defaultdict(list)
        """The events that go to each handler in no order."""
        self._cells: dict[tuple[Shape, tuple[Cell, ...]], list[Cell]] = {(whole(executions), ()): self._executions}

    def add(self, write: Write) -> None:
        """Give a write its sequences, and take its rows."""
        if write.execution is not None:
            write.sequence = self._next
            self._executions += (self._next, *write.execution)
            self._records += 1
            if not write.results:
                self._next += 1
        for row in write.results:
            self._put(batch_results, row)
        self._tell(write)
        for table, row in write.numbered:
            self._put(table, row)
        for table, rows in write.rows:
            cells = self._of(whole(table))
            for row in rows:
                cells += row
        if write.execution is None:
            write.sequence = self._next - 1

    def statements(self, placeholder: str) -> Iterator[tuple[str, Sequence[object]]]:
        """Yield what inserts all of them, each statement with its parameters.

        What all records, or all events, of the group have in common is selected from them, behind them.
        """
        selected: list[tuple[str, Sequence[object]]] = []
        if self._end_alike():
            (first, (kind, severity, _, body)), (last, _) = self._endings[0], self._endings[-1]
            values = (kind, severity, body, self._now, first - 1, last - 1)
            selected.append((endings_of_all(placeholder), values))
        else:
            cells = self._of(ENDINGS, self._now)
            for sequence, row in self._endings:
                cells += (sequence, *row)
        for handler, sequences in self._addressed.items():
            if sequences == self._events:
                selected.append((deliveries_of_all(placeholder), (handler, self._now, sequences[0], sequences[-1])))
            else:
                cells = self._of(DELIVERIES, handler, self._now)
                for sequence in sequences:
                    cells += (sequence, None)
        for (shape, same), cells in self._cells.items():
            yield from inserts(shape, cells, same, placeholder)
        yield from selected

    def _end_alike(self) -> bool:
        """Return whether each record of the group has an ending, and all of them differ in nothing but the task."""
        if not self._endings or len(self._endings) != self._records:
            return False
        kind, severity, _, body = self._endings[0][1]
        return all(row[3] == body and row[0] == kind and row[1] == severity for _, row in self._endings)

    def _tell(self, write: Write) -> None:
        if write.ending is not None:
            self._address(write.ending_to)
            self._endings.append((self._next, write.ending))
            self._events.append(self._next)
            self._next += 1
        for index, row in enumerate(write.events):
            if write.addressees:
                self._address(write.addressees[index])
            self._events.append(self._next)
            self._put(events, row)

    def _put(self, table: Table, row: Row) -> None:
        self._of(whole(table)).extend((self._next, *row))
        self._next += 1

    def _address(self, addressees: Sequence[Addressee]) -> None:
        for each in addressees:
            if each.order_key is None:
                self._addressed[each.handler].append(self._next)
            else:
                self._of(DELIVERIES, each.handler, self._now).extend((self._next, each.order_key))

    def _of(self, shape: Shape, *same: Cell) -> list[Cell]:
        return self._cells.setdefault((shape, same), [])


def _again(conflict: Conflict) -> Callable[[], HotplaneError]:
    """Return what gives the exception out; only the one write that is guilty gets it in the end."""
    return lambda: conflict.with_traceback(None)
