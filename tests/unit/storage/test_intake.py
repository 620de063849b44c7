"""The queue before the writer."""

from __future__ import annotations

from threading import Thread
from time import monotonic, sleep

import pytest

from hotplane.errors import Overloaded, ShuttingDown
from hotplane.storage.intake import PATIENCE_SECONDS, Intake
from hotplane.storage.writes import Row, Write


def _write(size: int = 1) -> Write:
    row: Row = ("type", "info", None, None, b"x" * size)
    return Write(events=[row])


def test_writes_are_taken_in_order_and_up_to_the_limit():
    """The oldest come first; the rest stays."""
    intake = Intake(10, 1_000)
    writes = [_write() for _ in range(5)]
    for write in writes:
        intake.put(write)
    assert intake.take(3) == writes[:3]
    assert intake.take(3) == writes[3:]
    assert len(intake) == 0


def test_too_many_writes_are_refused():
    """The limit on writes is named in the error, and taking makes room."""
    intake = Intake(2, 1_000)
    intake.put(_write())
    intake.put(_write())
    with pytest.raises(Overloaded, match="queue_limit"):
        intake.put(_write())
    intake.take(1)
    intake.put(_write())


def test_too_many_bytes_are_refused():
    """The limit on bytes counts what waits, and taking makes room."""
    intake = Intake(10, 100)
    intake.put(_write(60))
    with pytest.raises(Overloaded, match="queue_bytes"):
        intake.put(_write(60))
    intake.take(1)
    intake.put(_write(60))


def test_a_large_write_may_pass_alone():
    """A record beyond the limit on bytes is stored when nothing else waits."""
    intake = Intake(10, 100)
    intake.put(_write(500))
    assert len(intake.take(10)) == 1


def test_a_closed_queue_gives_what_waits_and_then_nothing():
    """Closing refuses new writes and keeps the old ones."""
    intake = Intake(10, 100)
    intake.put(_write())
    intake.close()
    with pytest.raises(ShuttingDown):
        intake.put(_write())
    assert len(intake.take(10)) == 1
    assert intake.take(10) == []


def test_closing_wakes_the_one_who_waits():
    """A writer that waits for work learns that there will be none."""
    intake = Intake(10, 100)
    taken: list[list[Write]] = []
    thread = Thread(target=lambda: taken.append(intake.take(10)))
    thread.start()
    intake.close()
    thread.join(30)
    assert taken == [[]]


def test_what_is_dropped_waits_no_more():
    """Dropping empties the queue and its count of bytes."""
    intake = Intake(10, 100)
    write = _write(90)
    intake.put(write)
    assert intake.drop() == [write]
    intake.put(_write(90))


def test_patient_writes_let_others_go_first():
    """A group has what somebody waits for and a few patient ones, each kind in its order; nothing starves."""
    intake = Intake(100, 10_000)
    patient = [Write(rows=(), patient=True) for _ in range(20)]
    for write in patient:
        intake.put(write)
    urgent = _write()
    intake.put(urgent)
    assert intake.take(100) == [urgent, *patient[:8]]
    assert intake.take(100) == patient[8:]


def _taking(intake: Intake) -> tuple[Thread, list[Write]]:
    """Take once, in a thread."""
    taken: list[Write] = []
    thread = Thread(target=lambda: taken.extend(intake.take(10)), daemon=True)
    thread.start()
    return thread, taken


def test_a_group_grows_until_it_is_asked_for():
    """Writes that come before `wake` are taken together."""
    intake = Intake(10, 1_000)
    thread, taken = _taking(intake)
    while not intake.waits:
        sleep(0.001)
    intake.put(_write())
    intake.put(_write())
    thread.join(10 * PATIENCE_SECONDS)
    assert thread.is_alive()
    intake.wake()
    thread.join(30)
    assert len(taken) == 2


def test_what_came_meanwhile_is_taken_without_being_asked_for():
    """A write that was queued while the last group was stored waits for a few milliseconds only."""
    intake = Intake(10, 1_000)
    intake.put(_write())
    began = monotonic()
    assert len(intake.take(10)) == 1
    assert monotonic() - began >= PATIENCE_SECONDS


def test_asking_while_a_group_is_stored_does_nothing():
    """The group after it may go on growing."""
    intake = Intake(10, 1_000)
    intake.put(_write())
    intake.wake()
    began = monotonic()
    intake.take(10)
    assert monotonic() - began >= PATIENCE_SECONDS


def test_asking_counts_as_soon_as_the_group_is_stored(monkeypatch: pytest.MonkeyPatch):
    """Who heard of the commit may ask before the one who takes is back, and does not wait for its patience."""
    monkeypatch.setattr("hotplane.storage.intake.PATIENCE_SECONDS", 3_600)
    intake = Intake(10, 1_000)
    intake.put(_write())
    intake.done()
    intake.wake()
    thread, taken = _taking(intake)
    thread.join(30)
    assert len(taken) == 1


def test_what_a_limit_left_is_taken_at_once(monkeypatch: pytest.MonkeyPatch):
    """A group that was too large goes on with the next one."""
    monkeypatch.setattr("hotplane.storage.intake.PATIENCE_SECONDS", 30)
    intake = Intake(10, 1_000)
    for _ in range(4):
        intake.put(_write())
    intake._ready = True  # somebody asked
    intake.take(2)
    began = monotonic()
    assert len(intake.take(2)) == 2
    assert monotonic() - began < 10
