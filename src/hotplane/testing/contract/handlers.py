"""What webhook handlers promise. Imports `records`, `plugins` and this room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from hotplane.errors import Problem
from hotplane.plugins import DeliveryFailed, Plugin, Receipt, WebhookHandler
from hotplane.records import Event, EventType, Severity
from hotplane.testing.broken import ContractBroken, require
from hotplane.testing.contract.subject import Arguments, Subject
from hotplane.testing.specimens import a_webhook_context, an_event

__all__ = ["HANDLER", "handler_calls"]

_HOSTILE = "</b>\x1b[31m`*_~@channel \u202e{{ 7 * 7 }}"


def handler_calls(subject: Subject, plugin: Plugin[Any]) -> Sequence[Arguments]:
    """Return what `handle` is called with, all of it dry: the contract delivers nothing."""
    del subject
    taken = cast("WebhookHandler[Any]", plugin).supported_events
    return [
        (event, a_webhook_context(plugin, dry_run=True))
        for event in (*_events(), *(an_event(type=each) for each in sorted(EventType)))
        if event.type in taken
    ]


def _events() -> Sequence[Event]:
    return (
        an_event(payload={"valid": False, "text": _HOSTILE}, severity=Severity.CRITICAL, task_id=_HOSTILE),
        an_event(type=EventType.PLUGIN_FAILED, task_id=None, payload={"deep": [[{"a": None}]]}),
    )


async def _dry_run(subject: Subject) -> None:
    """A dry run does everything but what can be seen outside, whatever the event is like."""
    async with subject.started() as plugin:
        subject.http.forget()  # starting may ask servers, a dry run must not
        for arguments in handler_calls(subject, plugin):
            try:
                found: object = await subject.call(plugin, *arguments)
            except DeliveryFailed:
                continue
            require(found is None or isinstance(found, Receipt), f"`handle` returns {type(found).__name__}")
            require(not subject.http.used, "in a dry run it asks the network; look at `context.dry_run` first")


async def _validates(subject: Subject) -> None:
    """`validate_configuration` returns problems, and none for a configuration that starts."""
    async with subject.started() as plugin:
        subject.http.forget()
        found: object = await subject.hook(plugin, "validate_configuration", plugin.config)
    if not isinstance(found, tuple):
        raise ContractBroken(f"`validate_configuration` returns {type(found).__name__}, not a tuple of problems")
    problems = cast("tuple[object, ...]", found)
    strange = [type(each).__name__ for each in problems if not isinstance(each, Problem)]
    require(not strange, f"`validate_configuration` returns what is no Problem: {', '.join(strange)}")
    # One that asks a server finds none here.
    sound = not problems or subject.http.used
    require(sound, f"`validate_configuration` objects to a configuration with which it starts: {problems}")


async def _destination(subject: Subject) -> None:
    """It says where events go, and which it takes."""
    async with subject.started() as plugin:
        handler = cast("WebhookHandler[Any]", plugin)
        require(bool(handler.destination()), "`destination` returns nothing")
        require(bool(handler.supported_events), "it supports no event, so that nothing would ever come to it")
        unknown = [str(each) for each in handler.supported_events if each not in set(EventType)]
        require(not unknown, f"`supported_events` has what is no event: {', '.join(unknown)}")


HANDLER = {
    "a dry run calls nothing": _dry_run,
    "validates its configuration": _validates,
    "names its destination and events": _destination,
}
"""By name."""
