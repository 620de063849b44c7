"""Asking one plugin for its health, whatever it does then.

Imports only `plugins`, `records`, `values`, `errors`, `registry` and its own room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from threading import Event
from typing import Any

import msgspec
from msgspec import Struct, field

from hotplane.errors import NotJson, PluginTimeout, Unavailable
from hotplane.host.health_report import HealthState
from hotplane.host.hooks import call_hook
from hotplane.plugins import Plugin
from hotplane.records import Health
from hotplane.registry import Offload
from hotplane.values import Json, checked_copy

__all__ = ["Answer", "Probe"]

_MESSAGE_CHARACTERS = 500
_DETAILS_BYTES = 8192
_OVERRUN_SECONDS = 1.0
"""A time-out that comes this much late was late because the loop was blocked; then the answer may have been, too."""


class Answer(Struct, frozen=True, kw_only=True):
    """What came of asking."""

    status: HealthState
    message: str = ""
    details: Mapping[str, Json] = field(default_factory=dict[str, Json])


class _NotBegun(Exception):
    """The thread pool had no thread for a sync check: nothing can be said about the plugin."""


class Probe:
    """Asks one instance of a plugin, again and again.

    A sync check that hangs keeps its thread for ever. The next one is not begun before that one returns; else every
    interval would cost a thread, until the pool has none left for anybody.

    Args:
        offload: Runs sync checks.
        limit: Seconds for one check.
    """

    def __init__(self, offload: Offload, limit: float) -> None:
        self._offload = offload
        self._limit = limit
        self._inside = Event()

    async def ask(self, plugin: Plugin[Any]) -> Answer:
        """Call the plugin's `check_health`; whatever it raises or returns becomes an answer."""
        if self._inside.is_set():
            return _failed(f"an earlier check, given up after {self._limit:g} s, still hangs in its thread")
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            found: object = await call_hook(plugin, "check_health", limit=self._limit, offload=self._watched)
        except BaseException as error:
            if _is_for_the_host(error):
                raise
            return self._answer_to(error, clock() - began)
        return _answer_of(found)

    def _answer_to(self, error: BaseException, seconds: float) -> Answer:
        if isinstance(error, _NotBegun):
            return Answer(status=HealthState.UNKNOWN, message=f"the check could not run: {error}")
        if isinstance(error, PluginTimeout):
            if seconds >= self._limit + _OVERRUN_SECONDS:
                return Answer(status=HealthState.UNKNOWN, message="the event loop was blocked during the check")
            return _failed(f"the check did not answer within {self._limit:g} s")
        return _failed(_sentence(error))

    async def _watched(self, function: Callable[..., object], *args: object, timeout: float | None) -> object:
        begun = Event()

        def run() -> object:
            begun.set()
            self._inside.set()
            try:
                return function(*args)
            finally:
                self._inside.clear()

        try:
            return await self._offload(run, timeout=timeout)
        except (Unavailable, TimeoutError) as error:
            if begun.is_set():
                raise
            raise _NotBegun(str(error) or "no thread was free in time") from error


def _answer_of(found: object) -> Answer:
    if not isinstance(found, Health):
        return _failed(f"`check_health` returned a {type(found).__name__}, not a Health")
    try:
        status, message = HealthState(found.status), _shortened(found.message)
    except (TypeError, ValueError):
        return _failed(f"`check_health` returned a Health whose status is {found.status!r}")
    return Answer(status=status, message=message, details=_bounded(found.details))


def _bounded(details: object) -> Mapping[str, Json]:
    try:
        copy = checked_copy(details)
        size = len(msgspec.json.encode(copy))
    except NotJson as error:
        return {"left_out": f"details that are not JSON: {error}"[:_MESSAGE_CHARACTERS]}
    if size > _DETAILS_BYTES:
        return {"left_out": f"details of {size} bytes; {_DETAILS_BYTES} are kept"}
    return copy if isinstance(copy, dict) else {}


def _failed(message: str) -> Answer:
    return Answer(status=HealthState.UNHEALTHY, message=_shortened(message))


def _sentence(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # an exception whose own __str__ fails is the plugin's, too
        return type(error).__name__


def _shortened(message: object) -> str:
    text = str(message)
    return text if len(text) <= _MESSAGE_CHARACTERS else f"{text[: _MESSAGE_CHARACTERS - 1]}…"


def _is_for_the_host(error: BaseException) -> bool:
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0
    return isinstance(error, KeyboardInterrupt)
