"""What handlers for people say of an event without a template. Imports only `records` and `events`."""

from __future__ import annotations

import re

import msgspec

from hotplane.events.envelope import timestamp
from hotplane.records import Event

__all__ = ["clip", "facts", "headline", "payload_text"]

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Control characters except tab and line feed, and what reorders or hides text."""


def headline(event: Event) -> str:
    """Return the event in one line: ``ERROR program.execution.failed: spam``."""
    subject = event.task_id or event.execution_id
    return clip(f"{event.severity.value.upper()} {event.type.value}" + (f": {subject}" if subject else ""), 150)


def facts(event: Event, limit: int = 200) -> list[tuple[str, str]]:
    """Return what is known of the event beside its payload, as pairs of label and text on one line."""
    known = (
        ("Task", event.task_id),
        ("Execution", event.execution_id),
        ("Program", event.program),
        ("Source", event.source),
        ("Time", timestamp(event.time)),
    )
    return [(label, clip(text, limit).replace("\n", " ")) for label, text in known if text]


def payload_text(event: Event, limit: int, *, indent: bool = True) -> str:
    """Return the payload as JSON of at most `limit` characters; empty when there is none."""
    if not event.payload:
        return ""
    encoded = msgspec.json.encode(event.payload)
    return clip((msgspec.json.format(encoded, indent=2) if indent else encoded).decode(), limit)


def clip(text: str, limit: int) -> str:
    """Return `text` without control characters, cut at `limit` characters with an ellipsis."""
    clean = _CONTROL.sub("\ufffd", text[: limit + 1])
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
