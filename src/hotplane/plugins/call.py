"""Which execution a plugin works for right now, for tracing. Imports nothing of Hotplane."""

from __future__ import annotations

from contextvars import ContextVar

from msgspec import Struct

__all__ = ["CURRENT_CALL", "Call"]


class Call(Struct, frozen=True, kw_only=True):
    """What a runner passes on to a worker beside the task and its input."""

    execution_id: str | None = None
    traceparent: str | None = None
    """W3C Trace Context: the header's value, ``00-<trace id>-<parent id>-<flags>``."""


CURRENT_CALL: ContextVar[Call | None] = ContextVar("hotplane_call", default=None)
"""Set by the host around each execution; None where nobody set it."""
