"""The accounts of a soak: each promise is kept by a whole scene and broken by one fault in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from benchmarks.soak.accounting import Account, account
from benchmarks.soak.notes import Notes
from hotplane.records import Execution, ExecutionStatus
from hotplane.storage import Ending
from hotplane.storage.tables import metadata

LOST, FAILED, DOUBLED, EVENTS, DEAD, UNENDED, RESULTS = range(7)


class Books:
    """A store with one execution, one event and one batch of two items; and what clients saw of it."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "host.db"
        self.notes = Notes(folder)
        self.runs = {"safe-1": 2, "once-1": 1}
        self.received = {"e1": 2}
        engine = create_engine(f"sqlite:///{self.store}")
        metadata.create_all(engine)
        engine.dispose()
        self.run(
            "INSERT INTO hotplane_executions"
            " (sequence, id, task_id, status, started_at, sampled, minted, latency, body)"
            " VALUES (1, 'safe-1', 'safe', 'success', 0, 0, 0, 0, '{}')",
            """INSERT INTO hotplane_events (sequence, type, severity, body)
            VALUES (2, 'task.created', 'info', '{"id": "e1"}')""",
            "INSERT INTO hotplane_deliveries (handler, event, state, attempts, updated_at)"
            " VALUES ('hook', 2, 'delivered', 1, 0)",
            "INSERT INTO hotplane_batches (number, id, task_id, state, body)"
            " VALUES (3, 'b1', 'safe', 'completed', '{}')",
            *(
                "INSERT INTO hotplane_batch_results (sequence, batch, position, status, sampled, body)"
                f" VALUES ({3 + position}, 3, {position}, 'success', 0, '{{}}')"
                for position in (1, 2)
            ),
        )
        self.notes.add("answers", "safe-1", "safe", "success")
        self.notes.add("batches", "b1", 2)
        self.notes.add("ended", "b1", "completed", 2, 2)

    def run(self, *statements: str) -> None:
        """Change the store."""
        with closing(sqlite3.connect(self.store)) as base, base:
            for each in statements:
                base.execute(each)

    def balance(self) -> Account:
        """Return the accounts."""
        return account(self.store, self.notes, runs=self.runs, received=self.received)

    def broken(self) -> list[int]:
        """Return which promises were broken."""
        return [index for index, each in enumerate(self.balance().promises) if not each.kept]


@pytest.fixture
def books(tmp_path: Path) -> Books:
    """Return books in which everything fits."""
    return Books(tmp_path)


def test_whole_books_break_no_promise(books: Books) -> None:
    """Where everything fits nothing is broken, though an event came twice and an idempotent task ran twice."""
    assert books.broken() == []


def test_figures_tell_how_much_was_tried(books: Books) -> None:
    """What may happen twice is counted, and is no broken promise."""
    figures = books.balance().figures
    assert figures["events taken more than once"] == 1
    assert figures["idempotent executions that ran more than once"] == 1


_FORGET = "DELETE FROM hotplane_batch_results WHERE position = 2"
FAULTS: dict[str, tuple[int, Callable[[Books], object]]] = {
    "an answer without a record": (LOST, lambda books: books.notes.add("answers", "safe-2", "safe", "success")),
    "a call without an answer": (FAILED, lambda books: books.notes.add("failures", "safe-2", "safe", "503")),
    "an execution with an error": (FAILED, lambda books: books.notes.add("answers", "safe-1", "safe", "error")),
    "a second run of what must not run twice": (DOUBLED, lambda books: books.runs.update({"once-1": 2})),
    "an event that never came": (EVENTS, lambda books: books.received.clear()),
    "a dead delivery": (DEAD, lambda books: books.run("UPDATE hotplane_deliveries SET state = 'dead'")),
    "a batch that goes on": (UNENDED, lambda books: books.notes.add("ended", "b1", "running", 2, 1)),
    "an item without a result": (RESULTS, lambda books: books.run(_FORGET)),
    "more results than items": (RESULTS, lambda books: books.notes.add("batches", "b1", 1)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_breaks_its_promise_alone(books: Books, fault: str) -> None:
    """Each promise can be broken, and only by what it speaks of."""
    promise, commit = FAULTS[fault]
    commit(books)
    assert books.broken() == [promise]


def test_call_of_the_other_task_may_fail(books: Books) -> None:
    """A task that is not idempotent may be given up: it is promised that it does not run twice."""
    books.notes.add("failures", "once-2", "once", "503")
    assert books.broken() == []


def test_batch_that_no_client_saw_is_accounted_for(books: Books) -> None:
    """A batch of the store that the server did not show as ended breaks the promise, whoever made it."""
    books.run(
        "INSERT INTO hotplane_batches (number, id, task_id, state, body) VALUES (9, 'b2', 'safe', 'running', '{}')"
    )
    assert books.broken() == [UNENDED]


def test_news_of_the_handler_itself_are_not_owed_to_it(books: Books) -> None:
    """An event about the handler that has no delivery is not lost; with one it would be."""
    books.run(
        """INSERT INTO hotplane_events (sequence, type, severity, body)
        VALUES (8, 'plugin.started', 'info', '{"id": "e2", "payload": {"plugin": "hook"}}')"""
    )
    assert books.broken() == []
    books.run(
        "INSERT INTO hotplane_deliveries (handler, event, state, attempts, updated_at)"
        " VALUES ('hook', 8, 'delivered', 1, 0)"
    )
    assert books.broken() == [EVENTS]


def test_how_an_execution_ended_is_known_by_its_record(books: Books) -> None:
    """The event that refers to a record is owed under the id that it is sent with."""
    books.run(
        "INSERT INTO hotplane_events (sequence, type, severity, body, record)"
        " VALUES (10, 'program.execution.completed', 'info', '{\"program\": \"a:b\"}', 1)"
    )
    assert books.broken() == [EVENTS]
    ran = Execution(
        id="safe-1",
        task_id="safe",
        program="a:b",
        status=ExecutionStatus.SUCCESS,
        input=1,
        started_at=datetime.fromtimestamp(0, UTC),
    )
    books.received[Ending(ran).id] = 1
    assert books.broken() == []
