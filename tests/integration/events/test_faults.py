"""Every fault of the outbox, with receivers and hosts as processes: nothing is lost, and little comes twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.events.cases import CASES, Play

TWICE = {"host killed between send and acknowledgement"}
"""Where nobody can know whether an event was taken, it comes again, under the same id."""


@pytest.mark.parametrize(("name", "play"), CASES.items(), ids=CASES.keys())
async def test_a_fault_loses_no_event(name: str, play: Play, tmp_path: Path) -> None:
    """Whatever was committed comes to its receiver, once unless the host died in between."""
    tally = await play(name, tmp_path)
    print(tally)
    assert (tally.received, tally.lost) == (tally.sent, 0)
    assert tally.sent > 0
    assert (tally.duplicated > 0) == (name in TWICE)
