"""Whether a holder of leases is certainly gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hotplane.events import holder
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


def test_a_process_without_a_time_of_its_own_lives_as_long_as_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not tell when it began, only a number that nobody has is proof."""
    monkeypatch.setattr(holder, "_began", lambda pid: None)
    place = holder_name().partition(".")[0]
    assert not is_certainly_dead(f"{place}.{os.getpid()}.0.x")
    assert is_certainly_dead(f"{place}.{2**22 + 1}.0.x")


def test_a_process_of_somebody_else_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that is not allowed has somebody to go to."""

    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(holder, "_began", lambda pid: None)
    monkeypatch.setattr(os, "kill", refuse)
    assert not is_certainly_dead(f"{holder_name().partition('.')[0]}.1.0.x")


def test_a_system_without_a_boot_id_is_told_by_its_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the place is another one, and the same for every process there."""
    here = holder_name().partition(".")[0]
    monkeypatch.setattr(holder, "_BOOT", Path("/nowhere/boot_id"))
    assert holder_name().partition(".")[0] == holder_name().partition(".")[0] != here
