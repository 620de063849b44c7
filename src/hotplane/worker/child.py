"""The main program of a process for CPU-bound programs: it serves one call at a time to the worker that started it.

`ChildProcess` starts it. Imports only `valkyrie`, `programs` and its own room.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from hotplane.programs import Programs, ProgramSettings, add_paths
from hotplane.valkyrie import ServerSettings, serve
from hotplane.worker.running import InProcess
from hotplane.worker.tether import tie_to_parent

__all__ = ["READY", "ChildOptions", "main"]

READY = b"ready\n"
"""What the process says on its first standard output when it serves."""

_STUCK = 1
"""One call that hangs is the end of the process: the worker replaces it."""


class ChildOptions(Struct, frozen=True, kw_only=True):
    """What a process is told by its worker, as JSON in its only argument; nothing of it is secret."""

    parent: int
    """The worker's process id."""
    socket: str
    """The path at which to serve."""
    allow: tuple[str, ...]
    paths: tuple[str, ...]
    """The worker's `sys.path`."""
    max_frame_bytes: int
    log_format: Literal["console", "json"] = "console"


def main() -> None:
    """Serve until the worker is gone."""
    options = msgspec.json.decode(sys.argv[1], type=ChildOptions)
    tie_to_parent(options.parent)
    ready = _keep_output_for_programs()
    from hotplane.worker import logs

    logs.configure(style=options.log_format)
    add_paths([Path(each) for each in options.paths])
    asyncio.run(_serve(options, ready))


def _keep_output_for_programs() -> int:
    """Return the pipe to the worker; what programs print goes to standard error instead."""
    ready = os.dup(1)
    os.dup2(2, 1)
    return ready


async def _serve(options: ChildOptions, ready: int) -> None:
    programs = Programs(ProgramSettings(allow=options.allow, max_threads=1, max_stuck=_STUCK))
    running = InProcess(programs)
    settings = ServerSettings(
        name="hotplane-process",
        max_frame_bytes=options.max_frame_bytes,
        max_buffered_bytes=4 * options.max_frame_bytes,
    )
    server = await serve(f"unix://{options.socket}", running.handle, settings)
    os.write(ready, READY)
    os.close(ready)
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await server.close()
