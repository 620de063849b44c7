"""Whether a holder of leases is certainly gone."""

from __future__ import annotations

import os
import subprocess
import sys

from hotplane.events.holder import holder_name, is_certainly_dead


def test_this_process_lives() -> None:
    """Two names of one process differ, and neither is dead."""
    names = {holder_name(), holder_name()}
    assert len(names) == 2
    assert not any(is_certainly_dead(name) for name in names)


def test_a_process_that_ended_is_dead() -> None:
    """Its number is nobody's any more."""
    command = [sys.executable, "-c", "from hotplane.events.holder import holder_name; print(holder_name())"]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert is_certainly_dead(name)


def test_a_number_that_was_given_again_is_another_process() -> None:
    """The time at which it began tells them apart."""
    place, _, began, rest = holder_name().split(".", 3)
    assert is_certainly_dead(f"{place}.{os.getpid()}.{int(began) + 1}.{rest}")


def test_of_another_machine_nothing_can_be_told() -> None:
    """Leases of somebody elsewhere end by time alone; neither does a strange name mean anything."""
    assert not is_certainly_dead("somewhere-else.1.1.x")
    assert not is_certainly_dead("nonsense")
