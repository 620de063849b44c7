"""Asking a module of ours something about a plugin, in a process of its own. Imports nothing of Hotplane.

The process gets its question as JSON on stdin, and writes JSON objects, one a line, into a file that it inherits, so
that what it found out before it died or hung is known all the same.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from threading import Thread
from typing import Any

import msgspec
from msgspec import Struct

__all__ = ["Apart", "answer_apart", "ask_apart"]

_MAX_BYTES = 4 * 1024 * 1024


class Apart(Struct, frozen=True, kw_only=True):
    """What came of a process."""

    answers: tuple[bytes, ...]
    """Each a JSON object; the process may have ended before it gave all."""
    code: int | None
    """Its exit code, negative for a signal; null when it overran its limit."""

    @property
    def ending(self) -> str:
        """How it ended, such as ``with exit code 3`` or ``by SIGSEGV``."""
        if self.code is None:
            return "because it took too long"
        if self.code >= 0:
            return f"with exit code {self.code}"
        try:
            return f"by {signal.Signals(-self.code).name}"
        except ValueError:
            return f"by signal {-self.code}"


def ask_apart(module: str, target: str, question: object, *, limit: float, folders: Sequence[str] = ()) -> Apart:
    """Run a module in a process of its own, which is ended afterwards with everything that it started.

    Args:
        module: Runs `answer_apart` when it is executed.
        target: What is asked about.
        question: What is asked, as JSON.
        limit: Seconds for the whole process.
        folders: Searched for what it imports, after everything else.
    """
    with TemporaryFile() as asked, TemporaryFile() as answer:
        asked.write(msgspec.json.encode(question))
        asked.seek(0)
        # -P: the current folder comes last, so that no plugin in it hides a module that this process needs.
        command = [sys.executable, "-P", "-m", module, str(answer.fileno()), target, *folders]
        process = subprocess.Popen(  # noqa: S603 - this interpreter and a module of our own, without a shell
            command,
            stdin=asked,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[answer.fileno()],
            start_new_session=True,
        )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
        answer.seek(0)
        return Apart(answers=_whole(answer.read(_MAX_BYTES)), code=code)


def answer_apart(work: Callable[[str, Any, Callable[[object], None]], None]) -> None:
    """Answer `ask_apart`, and end this process.

    Args:
        work: Called with the target, the question, and what writes an answer: it is written when that returns.
    """
    writing, target, folders = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    question = msgspec.json.decode(sys.stdin.buffer.read())
    sys.path += [*folders, str(Path.cwd())]
    with os.fdopen(writing, "wb", buffering=0) as answer:

        def write(found: object) -> None:
            answer.write(msgspec.json.encode(found) + b"\n")

        # Not in the main thread, where a KeyboardInterrupt of the plugin's would pass for the operator's.
        thread = Thread(target=work, args=(target, question, write), daemon=True)
        thread.start()
        thread.join()
    # Threads and exit handlers of the plugin's must not keep the process, or add to what it said.
    os._exit(0)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()


def _whole(written: bytes) -> tuple[bytes, ...]:
    """Return the lines that were written to their end."""
    return tuple(line for line in written.splitlines(keepends=True) if line.endswith(b"\n"))
