"""Tying a child process to the worker that started it, however that one ends. Imports nothing of Hotplane.

Two ways, because each misses something: the kernel's parent-death signal works even while native code holds the
interpreter, but only on Linux and only when it was asked for in time; the end of standard input comes everywhere.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from threading import Thread

__all__ = ["tie_to_parent"]

_PR_SET_PDEATHSIG = 1
"""prctl(2)."""


def tie_to_parent(parent: int) -> None:
    """End this process with SIGKILL when the process `parent` is gone.

    SIGTERM and SIGINT are ignored from here on: a service manager and a terminal send them to every process of a
    service, and a worker that drains needs its processes until it closes their standard input. A handler that does
    nothing, unlike SIG_IGN, is not inherited by what a program starts.

    Args:
        parent: The process that has to be the parent; if it is not any more, this process ends at once.
    """
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _ignore)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)
    lifeline = os.dup(0)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)  # a program that reads standard input must not get hold of the lifeline
    Thread(target=_leave_at_end, args=(lifeline,), name="hotplane-tether", daemon=True).start()


def _leave_at_end(lifeline: int) -> None:
    while os.read(lifeline, 4096):
        pass  # nothing is ever sent: only the end counts
    os._exit(0)


def _ignore(signal_number: int, frame: object) -> None:
    del signal_number, frame
