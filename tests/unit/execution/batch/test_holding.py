"""Who holds a batch, decided by a clock that the test sets."""

from __future__ import annotations

import pytest

from hotplane.execution.batch.holding import LEASE_SECONDS, SURE_SECONDS, Holding, name_of
from hotplane.storage import BatchLease


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    """A steady clock."""
    return _Clock()


@pytest.fixture
def holding(clock):
    """A host that can see of nobody but `dead` that it is gone."""
    made = Holding(clock=clock, is_dead=lambda holder: holder == "dead")
    made.begin()
    yield made
    made.end()


def _lease(holder: str | None, until: int = 0) -> BatchLease:
    return BatchLease(number=1, id="b", holder=holder, lease_until=until)


@pytest.mark.parametrize(("holder", "left"), [(None, True), ("dead", True), ("alive", False)])
def test_what_is_given_back_or_a_dead_hosts_is_left(holding, holder, left):
    """At the first look, whatever the wall clock says of the lease."""
    assert bool(holding.left([_lease(holder)])) is left


def test_our_own_is_never_left(holding, clock):
    """However long nobody renews it."""
    for _ in range(5):
        assert holding.left([_lease(holding.holder)]) == []
        clock.now += LEASE_SECONDS


def test_a_lease_that_nobody_renews_is_left(holding, clock):
    """It must stay as it is for the whole of a lease."""
    assert holding.left([_lease("alive")]) == []
    clock.now += LEASE_SECONDS - 1
    assert holding.left([_lease("alive")]) == []
    clock.now += 1
    assert holding.left([_lease("alive")]) == [_lease("alive")]


def test_a_lease_that_is_renewed_is_not_left(holding, clock):
    """Even where a wall clock was set back, so that it ends earlier than before."""
    for until in (50, 40, 30, 20):
        assert holding.left([_lease("alive", until)]) == []
        clock.now += LEASE_SECONDS - 1


def test_a_host_that_did_not_renew_is_not_sure(holding, clock):
    """It stops before anybody else can have taken its batches over."""
    clock.now += SURE_SECONDS - 1
    assert holding.sure()
    clock.now += 1
    assert not holding.sure()
    holding.renewed(clock.now)
    assert holding.sure()


def test_one_old_lease_makes_a_host_unsure(holding, clock):
    """A claim whose answer took long is older than the last renewal."""
    sent = clock.now
    clock.now += 30
    holding.renewed(clock.now)
    holding.took(sent)
    clock.now = sent + SURE_SECONDS
    assert not holding.sure()


def test_nobody_is_sure_for_as_long_as_a_lease():
    """Else two hosts could run the same batch."""
    assert SURE_SECONDS < LEASE_SECONDS


def test_a_host_of_this_process_that_ended_is_dead():
    """In one process hosts may follow each other: the next one need not wait for a lease."""
    first, second = Holding(), Holding()
    first.begin()
    second.begin()
    assert second.left([_lease(first.holder)]) == []
    first.end()
    assert second.left([_lease(first.holder)]) == [_lease(first.holder)]
    second.end()


def test_a_holder_has_a_name_for_people():
    """It says which process of which machine."""
    assert name_of("0a1b.4711.99.01f@web-1.example") == "process 4711 on web-1.example"
    assert "none" in name_of(None)
