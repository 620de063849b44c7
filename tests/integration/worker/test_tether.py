"""A child process ends with its parent."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CHILD = """
import sys, time
from hotplane.worker.tether import tie_to_parent
tie_to_parent(int(sys.argv[1]))
print("tied", sys.stdin.read() == "", flush=True)
time.sleep(60)
"""


@pytest.fixture
def child():
    """A process that is tied to this one and says so."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(os.getpid())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline()
        process.kill()


def test_the_end_of_standard_input_is_the_end(child: tuple[subprocess.Popen[str], str]):
    """It works where the kernel's signal does not; and a program that reads standard input finds it empty."""
    process, said = child
    assert said == "tied True\n"
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=50) == 0


def test_sigterm_is_left_to_the_parent(child: tuple[subprocess.Popen[str], str]):
    """A service manager sends it to every process of a service."""
    process, _ = child
    process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.2)


def test_a_process_whose_parent_is_gone_already_ends_at_once():
    """The parent may die before the child asks the kernel to be told."""
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, "1"], stdin=subprocess.DEVNULL, capture_output=True, timeout=50, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, b"")
