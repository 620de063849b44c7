"""What a failed Valkyrie call means to the host."""

from __future__ import annotations

import pytest

from hotplane.builtin.runners.valkyrie.exchange import translate, worth_another_try
from hotplane.plugins import NotExecuted, ProgramFailed, TransportFailed
from hotplane.valkyrie import (
    CallCancelled,
    CallFailed,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    PeerFailed,
    PeerOverloaded,
    PeerShuttingDown,
    TooLarge,
    UnknownTarget,
    ValkyrieError,
)
from hotplane.valkyrie import ProgramFailed as RemoteProgramFailed


def every_failure() -> list[ValkyrieError]:
    """Return each failure that a call can end with, certainly not executed and perhaps executed."""
    kinds: list[type[CallFailed]] = [
        CallCancelled, DeadlineExceeded, PeerFailed, PeerOverloaded, PeerShuttingDown, TooLarge, UnknownTarget,
    ]  # fmt: skip
    made: list[ValkyrieError] = [ConnectFailed("tcp://h:1", "refused")]
    for executed in ("no", "maybe"):
        made += [kind(executed=executed) for kind in kinds]
        made.append(ConnectionLost("tcp://h:1", "reset", executed=executed))
    return made


@pytest.mark.parametrize("failure", every_failure(), ids=lambda each: f"{type(each).__name__}-{each.executed}")
def test_whether_it_ran_is_never_forgotten(failure: ValkyrieError):
    """What perhaps ran never counts as not executed, and what certainly did not always does."""
    assert isinstance(translate(failure), NotExecuted) is (failure.executed == "no")


@pytest.mark.parametrize("failure", every_failure(), ids=lambda each: f"{type(each).__name__}-{each.executed}")
def test_what_perhaps_ran_stays_where_it_was(failure: ValkyrieError):
    """Only calls that certainly did not run may go to another worker."""
    assert not (worth_another_try(failure) and failure.executed == "maybe")


@pytest.mark.parametrize("failure", [TooLarge(executed="no"), DeadlineExceeded(executed="no")])
def test_no_worker_can_help_where_the_call_is_to_blame(failure: ValkyrieError):
    """A call that is too large or too late is so everywhere."""
    assert not worth_another_try(failure)


@pytest.mark.parametrize("failure", [PeerOverloaded(), UnknownTarget(), TooLarge(executed="no")])
def test_a_working_runner_is_not_blamed(failure: ValkyrieError):
    """Shedding load, not knowing a program and refusing a size are no outages."""
    translated = translate(failure)
    assert isinstance(translated, NotExecuted)
    assert not translated.counts


def test_a_lost_connection_speaks_against_the_runner():
    """Both before and after the call was sent."""
    before = translate(ConnectionLost("tcp://h:1", "reset", executed="no"))
    after = translate(ConnectionLost("tcp://h:1", "reset", executed="maybe"))
    assert isinstance(before, NotExecuted)
    assert before.counts
    assert isinstance(after, TransportFailed)
    assert before.code == after.code == "connection-lost"


def test_a_programs_texts_are_bounded_and_storable():
    """A worker in another language may send more than is kept, and what UTF-8 cannot hold."""
    failure = translate(RemoteProgramFailed("m" * 10_000 + "\ud800", type="T" * 1_000, traceback="t" * 100_000))
    assert isinstance(failure, ProgramFailed)
    kept = failure.failure
    assert (len(kept.type), len(kept.message), len(kept.traceback or "")) == (200, 2_000, 8_000)
