"""New versions that must not come to serve: what each does, and what the host has to say about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from textwrap import indent

from tests.integration.reload.conftest import HANG, source

__all__ = ["CASES", "Case"]

_KEEPS = 'def export_state(self):\n    return b"state"\n'
_LIMITED = "class Limits(Config):\n    words: int = 0\n"


@dataclass(frozen=True)
class Case:
    """One bad edit."""

    name: str
    text: str
    words: str
    """Part of the reason."""
    before: str = source()
    """What serves when the edit is made."""
    settings: Mapping[str, float] = field(default_factory=dict[str, float])
    """A limit that the edit overruns."""


def _bad(name: str, words: str, *, before: str = source(), **parts: str) -> Case:
    return Case(name, source("new", version="2", **parts), words, before)


def _hangs(name: str, words: str, limit: str, **parts: str) -> Case:
    return replace(_bad(name, words, **parts), settings={limit: 2.0})


CASES = (
    Case("it is not Python", "class Marking(:", "it is not valid Python"),
    Case("it is empty", "", "it has no plugin class"),
    Case("it is cut off in the middle", source("new")[:140], "not valid Python"),
    _bad("its import raises half-way", "ValueError: half-way", body="raise ValueError('half-way')"),
    _bad("its import raises a BaseException", "Halt", top="class Halt(BaseException): pass\nraise Halt"),
    _bad("its import ends the process", "it ends the process", top="import sys\nsys.exit(3)"),
    _bad("its import recurses without end", "recurses without end", top="def again(): again()\nagain()"),
    _hangs(
        "its import hangs",
        "its import takes longer than 2 s",
        "import_timeout_seconds",
        top=HANG,
    ),
    Case("its version is invalid", source("new", version="newest"), "'newest' is not a PEP 440 version"),
    Case("it has no metadata", source("new").replace("    metadata =", "    facts ="), "it has no `metadata"),
    Case(
        "it has two plugin classes",
        source("new") + source("new", name="other").replace("Marking", "Other"),
        "2 plugin classes",
    ),
    Case(
        "it became a sampler",
        source("new").replace("Validator", "Sampler").replace("def validate", "def should_sample"),
        "it was a validator and would be a sampler",
    ),
    _bad("it needs a newer host", "it needs a host >=99", extra=', requires_host=">=99"'),
    _bad("it needs a plugin that is missing", "'absent', which is missing", extra=', requires=("absent>=1",)'),
    _bad("its constructor raises", "KeyError: 'gone'", body="def __init__(self):\n    raise KeyError('gone')"),
    _bad("its start raises", "OSError: no server", body="def start(self, context):\n    raise OSError('no server')"),
    _hangs(
        "its sync start hangs",
        "took longer than 2 s in start",
        "start_timeout_seconds",
        body="def start(self, context):" + indent(HANG, "    "),
    ),
    _hangs(
        "its async start hangs",
        "took longer than 2 s in start",
        "start_timeout_seconds",
        body="async def start(self, context):\n    import asyncio; await asyncio.Event().wait()",
    ),
    _bad(
        "its health check fails",
        "unhealthy: no disk",
        body="def check_health(self):\n    return Health(status='unhealthy', message='no disk')",
    ),
    _bad(
        "its health check raises", "check_health failed: ZeroDivisionError", body="def check_health(self):\n    1 / 0"
    ),
    _bad(
        "its health check returns nonsense",
        "returned bool, not a Health",
        body="def check_health(self):\n    return True",
    ),
    _hangs(
        "its health check hangs",
        "took longer than 2 s in check_health",
        "health_timeout_seconds",
        body="async def check_health(self):\n    import asyncio; await asyncio.Event().wait()",
    ),
    _bad(
        "its import_state raises",
        "import_state failed: ValueError: b'state'",
        before=source(body=_KEEPS),
        body=_KEEPS + "def import_state(self, state):\n    raise ValueError(state)",
    ),
    _bad(
        "the old export_state raises",
        "export_state failed: RuntimeError",
        before=source(body="def export_state(self):\n    raise RuntimeError"),
        body="def import_state(self, state): pass",
    ),
    _bad(
        "its Config refuses the stored configuration",
        "/words: Input should be a valid integer",
        before=source(top=_LIMITED.replace("int = 0", "str = 'few'"), config="[Limits]"),
        top=_LIMITED,
        config="[Limits]",
    ),
)
