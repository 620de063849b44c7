"""Asking in a process of its own, also one that hangs, dies, or leaves others behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from hotplane.host.apart import Apart, ask_apart

MODULE = """
import os, subprocess, time
from hotplane.host.apart import answer_apart

def work(target, question, write):
    write({"target": target, "question": question})
    if target == "hang":
        open(question, "x").close()
        time.sleep(3600)
    if target == "die":
        os.kill(os.getpid(), question)
    if target == "leave":
        write(subprocess.Popen(["sleep", "3600"]).pid)

if __name__ == "__main__":
    answer_apart(work)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Write the module that is asked, and return its name."""
    (tmp_path / "asked_apart.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "asked_apart"


def test_an_answer_is_known_with_the_way_it_ended(module: str) -> None:
    """The question arrives as it was asked."""
    apart = ask_apart(module, "just so", {"a": [1, None]}, limit=30)
    assert apart == Apart(answers=(b'{"target":"just so","question":{"a":[1,null]}}\n',), code=0)
    assert apart.ending == "with exit code 0"


def test_what_was_said_before_it_hung_is_known(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that overruns its limit is ended, and its answers count."""
    said, wait = tmp_path / "said", subprocess.Popen[bytes].wait

    def wait_from_then_on(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        """Begin with the limit when it has answered: how long it takes to come so far is the machine's affair."""
        while timeout is not None and not said.exists() and process.poll() is None:
            time.sleep(0.01)
        return wait(process, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", wait_from_then_on)
    apart = ask_apart(module, "hang", str(said), limit=0.1)
    assert (len(apart.answers), apart.code, apart.ending) == (1, None, "because it took too long")


@pytest.mark.parametrize(("number", "name"), [(signal.SIGABRT, "SIGABRT"), (63, "signal 63")])
def test_what_was_said_before_it_died_is_known(module: str, number: int, name: str) -> None:
    """The signal is named, where it has a name."""
    apart = ask_apart(module, "die", int(number), limit=30)
    assert (len(apart.answers), apart.ending) == (1, f"by {name}")


def test_what_it_started_ends_with_it(module: str) -> None:
    """A child of the process is no more running than the process itself."""
    apart = ask_apart(module, "leave", None, limit=30)
    child = int(apart.answers[1])
    deadline = time.monotonic() + 60
    try:
        while runs(child) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not runs(child)
    finally:
        if runs(child):
            os.kill(child, signal.SIGKILL)


def runs(pid: int) -> bool:
    """Tell whether a process is more than an entry that nobody has asked for yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it may go between the opening and the reading
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
