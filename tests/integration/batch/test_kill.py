"""A host that is killed in mid-batch."""

from __future__ import annotations

import pytest

from tests.integration.batch.killing import kill_and_finish


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_restart_finishes_the_batch(tmp_path, url, idempotent):
    """No accepted item is lost, none with a result runs again, and those that must not run twice never do."""
    outcome = kill_and_finish(tmp_path, url, idempotent=idempotent, count=800, kills=2, seed=7)
    assert outcome.lost == 0
    assert outcome.rerun == 0
    assert outcome.finished + outcome.interrupted == outcome.items >= outcome.accepted
    if idempotent:
        assert outcome.interrupted == 0
    else:
        assert outcome.repeated == 0
        assert outcome.interrupted <= 16 * outcome.kills
