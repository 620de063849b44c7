"""The reference page of the errors, written from their classes, so that it cannot be behind them.

It looks through every room, which only this one may. ``python -m hotplane.cli.error_reference >
docs/reference/errors.md`` writes it.
"""

from __future__ import annotations

import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from importlib import import_module

import hotplane
from hotplane.api.problems import status_of
from hotplane.errors import HotplaneError

__all__ = ["error_classes", "render"]

_HEAD = """\
<!-- Written by `python -m hotplane.cli.error_reference`; change the classes instead. -->

# Errors

Every error that Hotplane raises on purpose has a stable *code*, a message that says how to mend the problem, and
attributes with the offender. Codes are never reused, so that programs may branch on them.

- **In Python** it is an exception derived from `hotplane.errors.HotplaneError`: catch a class, or branch on
  `error.code`. `NotFound`, `Conflict`, `Invalid` and `Unavailable` are families.
- **Over HTTP** it is a problem document (RFC 9457): `code`, `detail` with the message, `status`, and `errors` with
  JSON Pointers into what was sent. `type` is `/errors/` and the code, which every server explains. A 503 has
  `Retry-After`.
- **On the command line** it is `hotplane:` and the message on stderr; the exit code is 2 for what was asked wrongly or
  cannot be done, 1 for what failed ([command line](cli.md)).

What a *program* does wrong is no error of Hotplane: it is an execution whose `status` is not `success`.

In the table `{…}` stands for the offender. The status is that of an answer which tells of this error; what only Python
sees has none.
"""
_FOOT = """\
`internal-error`, with status 500 and an `error_id`, tells of what should not happen; the server's log says more under
that id.
"""
_UNANSWERED = ("hotplane.client.", "hotplane.cli.", "hotplane.worker.")
"""Rooms whose errors no host answers with."""
_SKIPPED = re.compile(r"hotplane\.(storage\.migrations|__main__|scaffold|testing)\b")
_OFFENDER = re.compile(r"\{(\w+)[^{}]*\}")


def render() -> str:
    """Return the page in Markdown: every code with its status, class and message."""
    rows = [_row(kind) for kind in sorted(error_classes(), key=_place)]
    return "\n".join([_HEAD, "| Code | Status | Raised as | Message |", "|---|---|---|---|", *rows, "", _FOOT])


def error_classes() -> set[type[HotplaneError]]:
    """Return every class of errors of Hotplane; all modules are imported for it."""
    for module in pkgutil.walk_packages(hotplane.__path__, "hotplane.", onerror=_raise):
        if _SKIPPED.match(module.name) is None:
            import_module(module.name)
    return {HotplaneError, *_family(HotplaneError)}


def _place(kind: type[HotplaneError]) -> tuple[str, str, str]:
    return kind.code, kind.__module__, kind.__name__


def _raise(name: str) -> None:
    raise ImportError(name)


def _family(kind: type[HotplaneError]) -> Iterator[type[HotplaneError]]:
    for child in kind.__subclasses__():
        if child.__module__.startswith("hotplane.") and not _SKIPPED.match(child.__module__):
            yield child
            yield from _family(child)


def _row(kind: type[HotplaneError]) -> str:
    status = "" if kind.__module__.startswith(_UNANSWERED) else str(status_of(kind))
    return f"| `{kind.code}` | {status} | `{_public_place(kind)}.{kind.__name__}` | {_message(kind)} |"


def _public_place(kind: type[HotplaneError]) -> str:
    """Return the room that offers a class, which is mostly above the module that defines it."""
    room = ".".join(kind.__module__.split(".")[:2])
    offered = getattr(sys.modules[room], kind.__name__, None) is kind
    return room if offered else kind.__module__


def _message(kind: type[HotplaneError]) -> str:
    text, _, _ = inspect.cleandoc(kind.__doc__ or "").partition("\n\nArgs:")
    words = " ".join(text.replace("{hint}", "…").split())
    shown = _OFFENDER.sub(lambda found: f"{{{found[1].replace('_', ' ')}}}", words)
    return shown.replace("|", "\\|").replace("<", "&lt;").replace("``", "`")


if __name__ == "__main__":
    sys.stdout.write(render())
