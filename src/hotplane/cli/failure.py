"""What a command says when it fails, and the exit code that goes with it. Imports only `errors` and `text`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence

from hotplane.cli.text import printable
from hotplane.errors import (
    CannotListen,
    Conflict,
    HotplaneError,
    Invalid,
    MissingExtra,
    NotFound,
    Problem,
    StorageCorrupt,
    StorageTooNew,
    StorageUnavailable,
)

__all__ = [
    "BAD_INPUT",
    "FAILED",
    "BadInput",
    "ConnectionLost",
    "NotHotplane",
    "ServerRefused",
    "ServerUnreachable",
    "report",
    "say",
]

FAILED = 1
BAD_INPUT = 2

_MENDED_BY_CALLER = (
    Invalid,
    NotFound,
    Conflict,
    MissingExtra,
    CannotListen,
    StorageUnavailable,
    StorageCorrupt,
    StorageTooNew,
)


class BadInput(Invalid):
    """What was given to the command cannot be used."""

    code = "bad-input"

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(message)


class ServerUnreachable(Invalid):
    """No server answers at {address} ({reason}). Start one with `hotplane serve`, or name another with `--server`."""

    code = "server-unreachable"

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__()


class ConnectionLost(HotplaneError):
    """{address} gave no answer ({reason}). What was asked for may have been done: look before you repeat it."""

    code = "connection-lost"

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__()


class NotHotplane(Invalid):
    """What answers at {address} is not a Hotplane server: {reason}. Name another one with `--server`."""

    code = "not-hotplane"

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__()


class ServerRefused(HotplaneError):
    """The server refused a request and said why.

    Args:
        title: The problem document's title.
        detail: Its sentence.
        status: The HTTP status.
        kind: The code of the problem.
        problems: What is wrong, one by one.
    """

    code = "server-refused"

    def __init__(self, title: str, detail: str, *, status: int, kind: str, problems: Sequence[Problem] = ()) -> None:
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.problems = tuple(problems)
        super().__init__(f"{title}: {detail}")


def report(error: HotplaneError) -> int:
    """Print an error as one message on stderr and return its exit code."""
    problems: Sequence[Problem] = getattr(error, "problems", ())
    execution_id = getattr(error, "execution_id", None) or ""
    where = "" if execution_id in str(error) else f" The execution is {execution_id}."
    # Some messages list their problems themselves.
    listed = (f"  {problem}" for problem in problems if str(problem) not in str(error))
    say("\n".join([str(error) + where, *listed]))
    return _exit_code(error)


def say(message: str) -> None:
    """Print a message for a person on stderr; nothing happens where stderr is closed."""
    with contextlib.suppress(OSError):  # there is nowhere left to complain
        sys.stderr.write("hotplane: " + printable(message, keep="\n") + "\n")
        sys.stderr.flush()


def _exit_code(error: HotplaneError) -> int:
    if isinstance(error, ServerRefused):
        return BAD_INPUT if error.status < 500 else FAILED
    return BAD_INPUT if isinstance(error, _MENDED_BY_CALLER) else FAILED
