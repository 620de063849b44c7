"""Who holds leases: a name for this process, and whether another one is certainly gone. Imports only `identity`."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from hotplane.identity import new_id

__all__ = ["holder_name", "is_certainly_dead"]

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def holder_name() -> str:
    """Return a new name: where this process runs, its number, when it began, and something that is only here."""
    pid = os.getpid()
    return f"{_place()}.{pid}.{_began(pid) or 0}.{new_id()}"


def is_certainly_dead(holder: str) -> bool:
    """Tell whether the process of that name can be seen to be gone; of one elsewhere nothing can be told."""
    place, _, rest = holder.partition(".")
    pid, _, rest = rest.partition(".")
    began = rest.partition(".")[0]
    if place != _place() or not pid.isdecimal():
        return False
    present = _began(int(pid))
    if present is not None:
        return began not in ("0", present)
    with suppress(PermissionError):  # somebody has that number
        return not _exists(int(pid))
    return False


def _place() -> str:
    """Name what process numbers belong to: this machine since its start, and the container in it."""
    try:
        parts = _BOOT.read_text("ascii").strip(), str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        parts = (f"{uuid.getnode():x}",)
    return blake2b("/".join(parts).encode(), digest_size=8).hexdigest()


def _began(pid: int) -> str | None:
    """Return when a process began, in ticks since the machine's start; None where that cannot be read."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    # The name of the program, in parentheses, may hold anything.
    fields = status.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
