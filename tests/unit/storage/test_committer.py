"""Groups of writes on a SQLite file, without threads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from hotplane.errors import StorageError
from hotplane.storage import StorageSettings
from hotplane.storage.committer import Committer
from hotplane.storage.revisions import bring_up_to_date
from hotplane.storage.sqlite import SQLite
from hotplane.storage.writes import Addressee, Row, Write

_EVENT: Row = ("type", "info", None, None, 0, b"{}")


@pytest.fixture(scope="module")
def committer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Committer]:
    """A committer on a store that is up to date."""
    path: Path = tmp_path_factory.mktemp("committer") / "store.db"
    database = SQLite(path, StorageSettings(url=str(path), synchronous="NORMAL"))
    opened = Committer(database)
    bring_up_to_date(database, opened.connect())
    yield opened
    opened.close()


def _record(id: str, events: int = 0, task: str = "task") -> Write:
    return Write((id, task, "success", 0, False, None, True, 0, False, None, b"{}"), [_EVENT] * events)


def _ids(committer: Committer, table: str = "executions", column: str = "id") -> list[object]:
    connection = committer.connect()
    with connection.begin():
        return list(connection.scalars(text(f"SELECT {column} FROM hotplane_{table} ORDER BY sequence")))


def _empty(committer: Committer) -> None:
    connection = committer.connect()
    with connection.begin():
        for table in ("executions", "events", "deliveries", "batch_results"):
            connection.execute(text(f"DELETE FROM hotplane_{table}"))
        connection.execute(text("UPDATE hotplane_counters SET value = 0"))


@given(guilty=st.lists(st.booleans(), min_size=1, max_size=300), events=st.integers(0, 2))
@settings(max_examples=25, deadline=None)
def test_only_the_guilty_fail_and_the_order_is_kept(committer, guilty, events):
    """Whatever writes of a group cannot be stored, all others are, in order, with their events."""
    _empty(committer)
    writes = [_record("" if bad else f"id-{number}", events) for number, bad in enumerate(guilty)]
    committer.store(writes)
    assert [write.error is not None for write in writes] == guilty
    assert _ids(committer) == [f"id-{number}" for number, bad in enumerate(guilty) if not bad]
    assert len(_ids(committer, "events", "sequence")) == events * guilty.count(False)
    stored = [write.sequence for write in writes if write.error is None]
    assert stored == [1 + number * (1 + events) for number in range(len(stored))]


def test_one_guilty_write_costs_a_handful_of_commits(committer):
    """Halving finds one of 256 in about as many commits as 256 has bits."""
    _empty(committer)
    before = committer.commits
    committer.store([_record("" if number == 100 else "id") for number in range(256)])
    assert committer.commits - before == 8


def test_each_waiter_gets_an_exception_of_its_own(committer):
    """One exception raised in many places would gather all their tracebacks."""
    writes = [_record(""), _record("")]
    fault = committer.store(writes)
    assert fault is not None
    assert isinstance(writes[0].error, StorageError)
    assert writes[0].error is not writes[1].error


def test_statements_roll_back_with_their_write(committer):
    """A write whose statement fails leaves nothing of itself."""
    _empty(committer)
    failing = _record("half", events=1)
    failing.statements = [text("INSERT INTO hotplane_tasks (id) VALUES ('no body')")]
    assert committer.store([failing]) is not None
    assert _ids(committer) == []


def test_a_commit_that_fails_leaves_no_transaction_behind(committer):
    """A write that is refused only at COMMIT fails alone, and the next group is stored."""
    _empty(committer)
    driver = committer.connect().connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys=1")
    driver.execute("CREATE TABLE one (id INTEGER REFERENCES other DEFERRABLE INITIALLY DEFERRED)")
    driver.execute("CREATE TABLE other (id INTEGER PRIMARY KEY)")
    failing = Write(statements=[text("INSERT INTO one VALUES (7)")])
    committer.store([_record("before"), failing, _record("after")])
    assert failing.error is not None
    assert committer.store([_record("later")]) is None
    assert _ids(committer) == ["before", "after", "later"]


def test_a_lost_connection_is_replaced(committer):
    """After the connection was closed the next group opens another."""
    _empty(committer)
    committer.close()
    assert committer.store([_record("after")]) is None
    assert _ids(committer) == ["after"]


_ADDRESSEES = st.lists(
    st.sampled_from((Addressee("a"), Addressee("b"), Addressee("c", "key"), Addressee("d", "other"))),
    unique_by=lambda each: each.handler,
)


@given(groups=st.lists(st.tuples(st.booleans(), st.lists(_ADDRESSEES, max_size=3)), min_size=1, max_size=40))
@example(groups=[(True, [[Addressee("a")]]), (True, [[Addressee("a")], [Addressee("a"), Addressee("b")]])])
@settings(max_examples=50, deadline=None)
def test_each_event_goes_to_its_addressees_alone(committer, groups):
    """Whether all events of a group go to a handler, some or none, with keys or without, beside records or not."""
    _empty(committer)
    wanted: list[tuple[object, ...]] = []
    writes: list[Write] = []
    sequence = 0
    for number, (recorded, addressees) in enumerate(groups):
        row = _record(f"id-{number}").execution if recorded else None
        writes.append(Write(row, [_EVENT] * len(addressees), addressees=addressees))
        sequence += recorded
        for some in addressees:
            sequence += 1
            wanted += [(each.handler, sequence, each.order_key, "pending", 0, 0) for each in some]
    committer.store(writes)
    connection = committer.connect()
    with connection.begin():
        columns = "handler, event, order_key, state, attempts, due_at"
        found = connection.execute(text(f"SELECT {columns} FROM hotplane_deliveries ORDER BY event, handler")).all()
    assert [tuple(row) for row in found] == sorted(wanted, key=lambda each: each[1::-1])


_ENDS = st.one_of(st.none(), st.tuples(st.sampled_from(("done", "failed")), st.sampled_from((b"one", b"two"))))


@given(ends=st.lists(_ENDS, min_size=1, max_size=40), batch=st.booleans())
@example(ends=[("done", b"one")] * 3, batch=True)
@example(ends=[("done", b"one"), ("done", b"two")], batch=False)
@example(ends=[("done", b"one"), None], batch=False)
@settings(max_examples=50, deadline=None)
def test_each_ending_stands_behind_its_own_record(committer, ends, batch):
    """Whether the records of a group end alike, differently or not at all, of a batch or not."""
    _empty(committer)
    writes: list[Write] = []
    for number, end in enumerate(ends):
        write = _record(f"id-{number}", task=f"task-{number % 3}")
        if end is not None:
            write.ending = (end[0], "info", f"task-{number % 3}", end[1])
        if batch:
            write.results = [(1, number, "success", False, None, b"{}")]
        writes.append(write)
    committer.store(writes)
    columns = "e.type, e.severity, e.task_id, e.body, x.id, e.sequence - e.record"
    query = f"SELECT {columns} FROM hotplane_events e JOIN hotplane_executions x ON x.sequence = e.record ORDER BY 5"
    connection = committer.connect()
    with connection.begin():
        found = connection.execute(text(query)).all()
    wanted = [
        (end[0], "info", f"task-{number % 3}", end[1], f"id-{number}", 1)
        for number, end in enumerate(ends)
        if end is not None
    ]
    assert [tuple(row) for row in found] == sorted(wanted, key=lambda each: each[4])
