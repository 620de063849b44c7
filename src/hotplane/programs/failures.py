"""What to record when a program fails: bounded, and only what concerns its author. Imports only `records`."""

from __future__ import annotations

import traceback
from types import TracebackType

from hotplane.records import ExecutionFailure

__all__ = ["MAX_FRAMES", "MAX_MESSAGE", "MAX_TRACEBACK", "failure_of", "storable"]

MAX_MESSAGE = 2_000
"""Characters of an error's message that are kept."""
MAX_TRACEBACK = 8_000
"""Characters of a traceback that are kept."""
MAX_FRAMES = 20
"""Frames of a traceback that are kept: the innermost ones, where the error is."""


def failure_of(error: BaseException, own_file: str) -> ExecutionFailure:
    """Describe what a program raised.

    Args:
        error: What it raised.
        own_file: The file whose frames called the program; they are left out.
    """
    return ExecutionFailure(
        type=storable(type(error).__name__, 200),
        message=storable(_message(error), MAX_MESSAGE),
        traceback=_traceback(error, own_file),
    )


def storable(text: str, limit: int) -> str:
    """Shorten `text`, and write lone surrogates, which UTF-8 cannot hold, as escapes."""
    shortened = text if len(text) <= limit else text[: limit - 1] + "…"
    return shortened.encode("utf-8", "backslashreplace").decode()[:limit]


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as broken:
        # `__str__` is the program's code too, and may raise anything.
        return f"(its message cannot be shown: {type(broken).__name__})"


def _traceback(error: BaseException, own_file: str) -> str | None:
    frames = _program_frames(error.__traceback__, own_file)
    if frames is None:
        return None
    try:
        lines = traceback.format_exception(type(error), error, frames, limit=-MAX_FRAMES)
    except Exception as broken:
        # Formatting reads attributes that the program may have made properties of.
        return f"(the traceback cannot be shown: {type(broken).__name__})"
    text = "".join(lines)
    if len(text) > MAX_TRACEBACK:
        half = MAX_TRACEBACK // 2 - 2
        text = f"{text[:half]}\n…\n{text[-half:]}"
    return storable(text, MAX_TRACEBACK)


def _program_frames(frames: TracebackType | None, own_file: str) -> TracebackType | None:
    while frames is not None and frames.tb_frame.f_code.co_filename == own_file:
        frames = frames.tb_next
    return frames
