"""How a process that serves runs, and how it ends in time. Imports nothing of Hotplane."""

from __future__ import annotations

import gc
import os
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

__all__ = ["leave_soon", "runner"]

_LEAVE_WITHIN_SECONDS = 0.5


def runner() -> asyncio.Runner:
    """Return what runs the process's event loop: uvloop's, where it is installed.

    What is imported by now stays for good and is taken out of garbage collections: one of everything, which stops the
    loop, took 60 ms with it and takes 2 ms without. Plugins and programs come later, and are collected once replaced.
    """
    import asyncio

    gc.collect()
    gc.freeze()
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def leave_soon() -> None:
    """End the process with 0 even if something keeps it.

    Everything is done by now; but Python joins the threads of standard executors before it ends, and one of
    those may hang in code of a plugin or a program.
    """

    def leave() -> None:
        sys.stderr.flush()
        os._exit(0)

    timer = threading.Timer(_LEAVE_WITHIN_SECONDS, leave)
    timer.daemon = True
    timer.start()
