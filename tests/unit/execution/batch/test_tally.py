"""Counting results."""

from __future__ import annotations

from collections import Counter

from hotplane.execution.batch.records import BatchCounts
from hotplane.execution.batch.tally import Tally
from hotplane.records import ExecutionStatus
from hotplane.storage import BatchTotals


def test_statuses_and_verdicts_are_counted():
    """Each result adds to its status, and to what was sampled and judged."""
    tally = Tally(lambda: 0.0)
    tally.add(ExecutionStatus.SUCCESS, sampled=True, valid=True)
    tally.add(ExecutionStatus.SUCCESS, sampled=True, valid=False)
    tally.add(ExecutionStatus.TIMEOUT)
    tally.add(ExecutionStatus.CANCELLED, 5)
    assert tally.counts() == BatchCounts(succeeded=2, timed_out=1, cancelled=5, sampled=2, valid=1, invalid=1)
    assert tally.done == tally.counts().done == 8


def test_the_ledger_has_the_last_word():
    """What was counted before is replaced."""
    tally = Tally(lambda: 0.0)
    tally.add(ExecutionStatus.ERROR)
    totals = BatchTotals(
        items=9,
        last_position=9,
        open_bytes=0,
        by_status={"success": 7, "rejected": 2},
        sampled=3,
        valid=2,
        invalid=0,
        last_sequence=40,
    )
    tally.correct(totals)
    assert tally.counts() == BatchCounts(succeeded=7, rejected=2, sampled=3, valid=2)
    assert tally.done == 9


def test_the_rate_is_that_of_the_last_seconds():
    """An hour of pause does not make the batch look slow once it runs again for some seconds."""
    now = 0.0
    tally = Tally(lambda: now)
    assert tally.rate() is None
    for _ in range(100):
        now += 0.1
        tally.add(ExecutionStatus.SUCCESS)
    now += 3600
    for _ in range(400):
        now += 0.1
        tally.add(ExecutionStatus.SUCCESS)
    rate = tally.rate()
    assert rate is not None
    assert 9 < rate < 11


def test_no_time_passes_while_the_batch_is_paused():
    """The speed stays what it was, and goes on from there."""
    now = 0.0
    tally = Tally(lambda: now)
    for _ in range(20):
        tally.add(ExecutionStatus.SUCCESS)
        now += 0.125
    before = tally.rate()
    tally.stand()
    now += 100
    tally.stand()
    assert tally.rate() == before == 8
    tally.go_on()
    now += 2
    assert tally.rate() == 20 / 4.5


def test_what_never_ran_says_nothing_about_the_speed():
    """Items that are cancelled in bulk count as done; only the two that ran, one of them rejected, have a speed."""
    now = 0.0
    tally = Tally(lambda: now)
    tally.add(ExecutionStatus.SUCCESS)
    tally.add(ExecutionStatus.REJECTED)
    now = 2.0
    tally.close(ExecutionStatus.CANCELLED, 1_000)
    tally.close(ExecutionStatus.INTERRUPTED, 3)
    assert tally.rate() == 1
    assert (tally.done, tally.swept) == (1_005, 1_000)


def totals_of(**by_status: int) -> BatchTotals:
    """Return what the ledger says of a batch."""
    done = sum(by_status.values())
    return BatchTotals(
        items=done,
        last_position=done,
        open_bytes=0,
        by_status=by_status,
        sampled=0,
        valid=0,
        invalid=0,
        last_sequence=0,
    )


def test_results_are_added_up_over_all_batches():
    """Together with those that only the ledger knows of, each once."""
    results = Counter[ExecutionStatus]()
    one, other = Tally(lambda: 0.0, results), Tally(lambda: 0.0, results)
    one.add(ExecutionStatus.SUCCESS)
    other.add(ExecutionStatus.SUCCESS)
    other.close(ExecutionStatus.CANCELLED, 3)
    for _ in range(2):
        other.correct(totals_of(success=1, cancelled=5))
    assert +results == {ExecutionStatus.SUCCESS: 2, ExecutionStatus.CANCELLED: 5}


def test_results_of_another_host_are_not_added_up():
    """It has counted them itself."""
    results = Counter[ExecutionStatus]()
    tally = Tally(lambda: 0.0, results)
    tally.take_over(totals_of(success=7))
    tally.add(ExecutionStatus.SUCCESS)
    tally.correct(totals_of(success=8))
    assert results[ExecutionStatus.SUCCESS] == 1
