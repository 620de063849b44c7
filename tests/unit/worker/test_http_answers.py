"""What failed calls are in HTTP: only what certainly did not run is answered as such."""

from __future__ import annotations

import json

import pytest

from hotplane.valkyrie import (
    CallCancelled,
    CallFailed,
    DeadlineExceeded,
    PeerFailed,
    PeerOverloaded,
    PeerShuttingDown,
    ProgramFailed,
    TooLarge,
    UnknownTarget,
)
from hotplane.worker.http_answers import answer_for, success_body


@pytest.mark.parametrize(
    ("failure", "status", "type"),
    [
        (ProgramFailed("no", type="ValueError"), 200, "ValueError"),
        (UnknownTarget(), 404, "unknown-program"),
        (PeerOverloaded(), 503, "overloaded"),
        (PeerShuttingDown(), 503, "shutting-down"),
        (PeerShuttingDown(executed="maybe"), 500, "interrupted"),
        (DeadlineExceeded(), 504, "deadline-exceeded"),
        (PeerFailed("not JSON", executed="no"), 400, "malformed-request"),
        (PeerFailed(), 500, "worker-failed"),
        (TooLarge(), 500, "too-large"),
        (CallCancelled(), 500, "worker-failed"),
    ],
)
def test_every_failure_has_its_status_and_word(failure: CallFailed, status: int, type: str):
    """As the protocol's page says."""
    answered, body, _ = answer_for(failure)
    assert (answered, json.loads(body)["error"]["type"]) == (status, type)


@pytest.mark.parametrize("failure", [PeerOverloaded(), PeerShuttingDown()])
def test_refusals_say_when_to_come_again(failure: CallFailed):
    """In whole seconds, as Retry-After has them."""
    assert int(answer_for(failure)[2]["Retry-After"]) > 0


def test_a_traceback_is_there_only_where_there_is_one():
    """`null` would be a third possibility for readers."""
    with_one = json.loads(answer_for(ProgramFailed("no", traceback="at line 1"))[1])
    without = json.loads(answer_for(ProgramFailed("no"))[1])
    assert with_one["error"]["traceback"] == "at line 1"
    assert "traceback" not in without["error"]


def test_an_output_is_passed_on_as_it_is():
    """It is JSON already, null included."""
    assert json.loads(success_body(b"null")) == {"output": None}
