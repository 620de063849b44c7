"""Texts that the operator wrote for events, per type. Imports only `plugins`, `events`, `records` and `errors`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from hotplane.errors import MissingExtra, did_you_mean
from hotplane.events.envelope import timestamp
from hotplane.plugins import Logger
from hotplane.records import Event, EventType

if TYPE_CHECKING:
    from jinja2 import Template

    from hotplane.builtin.webhooks.sandbox import Sandbox

__all__ = ["ANY", "TemplateTexts", "Templates"]

ANY = "*"
"""In the place of an event type: whatever has no template of its own."""

_MAX_SOURCE = 10_000
_MAX_OUTPUT = 20_000

Escape = Callable[[str], str]


class Templates:
    """Compiled templates.

    Args:
        sources: Jinja2 by event type, or `*`.
        escape: What makes an inserted value harmless where the text goes.
        limit: Characters that may come out; the rest is cut.

    Raises:
        ValueError: An unknown event type, or a template that does not compile; with type and line.
        MissingExtra: Jinja2 is missing.
    """

    def __init__(self, sources: Mapping[str, str], *, escape: Escape = str, limit: int = _MAX_OUTPUT) -> None:
        self._limit = limit
        self._compiled: dict[str, tuple[Sandbox, Template]] = {}
        for kind, source in sources.items():
            _check_type(kind)
            self._compiled[kind] = _compile(kind, source, escape)

    def render(self, event: Event, log: Logger | None = None) -> str | None:
        """Return the text for `event`; None where there is no template, or it fails, of which `log` is told.

        A template that fails must not keep an event from being delivered: it goes out in the handler's own words.
        """
        found = self._compiled.get(event.type) or self._compiled.get(ANY)
        if found is None:
            return None
        sandbox, template = found
        try:
            text = sandbox.rendered(template, _values(event), self._limit)
        except Exception as error:  # filters raise what they like of values that they were not made for
            if log is not None:
                why = str(error)[:500] or type(error).__name__
                log.warning("webhook.template-failed", event_type=event.type, event_id=event.id, why=why)
            return None
        # Half a character, which only a template can write, cannot be sent.
        return text.encode("utf-8", "replace").decode()


def _values(event: Event) -> dict[str, object]:
    return {
        "id": event.id,
        "type": event.type.value,
        "time": timestamp(event.time),
        "severity": event.severity.value,
        "source": event.source,
        "task_id": event.task_id,
        "execution_id": event.execution_id,
        "program": event.program,
        "payload": event.payload,
        "metadata": event.metadata,
    }


def _check_type(kind: str) -> None:
    known = [each.value for each in EventType]
    if kind != ANY and kind not in known:
        raise ValueError(f"there is no event type {kind[:100]!r}{did_you_mean(kind, known)}")


def _compile(kind: str, source: str, escape: Escape) -> tuple[Sandbox, Template]:
    try:
        from hotplane.builtin.webhooks.sandbox import Sandbox, TemplateSyntaxError
    except ImportError:
        raise MissingExtra("A template", "webhooks") from None
    if len(source) > _MAX_SOURCE:
        raise ValueError(f"the template for `{kind}` is longer than {_MAX_SOURCE} characters")
    sandbox = Sandbox(escape)
    try:
        return sandbox, sandbox.compiled(source)
    except TemplateSyntaxError as error:
        raise ValueError(f"the template for `{kind}` does not compile: line {error.lineno}: {error.message}") from None
    except (RecursionError, MemoryError, SyntaxError):  # Python's own limits on what jinja2 makes of it
        raise ValueError(f"the template for `{kind}` is nested too deep") from None


def _checked(sources: Mapping[str, str]) -> Mapping[str, str]:
    Templates(sources)
    return sources


TemplateTexts = Annotated[dict[str, str], AfterValidator(_checked), Field(max_length=100)]
"""Jinja2 templates by event type, checked when the configuration is read."""
