"""The main program of a process for CPU-bound programs: it serves one call at a time to the worker that started it.

`ChildProcess` starts it. Imports only `valkyrie`, `programs` and its own room.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import os
import sys
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from hotplane.programs import Programs, ProgramSettings, add_paths
from hotplane.valkyrie import Call, Handler, ServerSettings, serve
from hotplane.worker.running import InProcess
from hotplane.worker.tether import tie_to_parent

__all__ = ["LOAD", "READY", "ChildOptions", "main"]

LOAD = "load"
"""The method that imports a program and does not run it: no caller's deadline must end an import for ever."""
READY = b"ready\n"
"""What the process says on its first standard output when it serves; anything else is why it does not."""

_MAX_REASON = 500
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
    preload: tuple[str, ...]
    """Modules to import before the first call."""
    max_frame_bytes: int
    log_format: Literal["console", "json"] = "console"


def main() -> None:
    """Serve until the worker is gone."""
    options = msgspec.json.decode(sys.argv[1], type=ChildOptions)
    tie_to_parent(options.parent)
    ready = _keep_output_for_programs()
    from hotplane import log

    log.configure(style=options.log_format)
    add_paths([Path(each) for each in options.paths])
    asyncio.run(_serve(options, ready))


def _keep_output_for_programs() -> int:
    """Return the pipe to the worker; what programs print goes to standard error instead."""
    ready = os.dup(1)
    os.dup2(2, 1)
    # By lines: else what is printed is kept until the process ends, or lost when it is killed.
    sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False), line_buffering=True)
    return ready


async def _serve(options: ChildOptions, ready: int) -> None:
    for module in options.preload:
        try:
            importlib.import_module(module)
        except Exception as error:  # importing runs code that may raise anything
            os.write(ready, f"{module!r} cannot be imported: {type(error).__name__}: {error}"[:_MAX_REASON].encode())
            return
    programs = Programs(ProgramSettings(allow=options.allow, max_threads=1, max_stuck=_STUCK))
    settings = ServerSettings(
        name="hotplane-process",
        max_frame_bytes=options.max_frame_bytes,
        max_buffered_bytes=4 * options.max_frame_bytes,
    )
    server = await serve(f"unix://{options.socket}", _handler(InProcess(programs)), settings)
    os.write(ready, READY)
    os.close(ready)
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await server.close()


def _handler(running: InProcess) -> Handler:
    async def load(call: Call) -> bytes:
        return b"true" if await running.load(call.target, call.remaining_ms / 1e3) else b"false"

    return lambda call: load(call) if call.method == LOAD else running.handle(call)
