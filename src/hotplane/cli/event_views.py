"""What people see of events, webhook handlers and deliveries. Imports only its own room."""

from __future__ import annotations

from hotplane.cli.fields import Fields, Record, as_json, part, source
from hotplane.cli.tables import Column, in_color, moment
from hotplane.cli.text import printable
from hotplane.cli.views import disabled_field

__all__ = [
    "DELIVERY_COLUMNS",
    "EVENT_COLUMNS",
    "WEBHOOK_COLUMNS",
    "attempt_line",
    "event_line",
    "webhook_fields",
]


def _due(instant: object) -> object:
    return None if instant is None else moment(instant)


EVENT_COLUMNS = (
    Column("place", "sequence", number=True),
    Column("type", "type", whole=True),
    Column("severity", "severity"),
    Column("time", "time", show=moment),
    Column("task", "task_id"),
    Column("source", "source"),
    Column("payload", "payload"),
)
WEBHOOK_COLUMNS = (
    Column("name", "name", whole=True),
    Column("type", "type"),
    Column("state", "state"),
    Column("enabled", "enabled"),
    Column("source", "source"),
    Column("overridden", "overridden"),
    Column("destination", "destination"),
    Column("reason", "reason"),
)
DELIVERY_COLUMNS = (
    Column("handler", "handler", whole=True),
    Column("event", "sequence", number=True),
    Column("type", "event_type"),
    Column("state", "state"),
    Column("attempts", "attempts", number=True),
    Column("due", "due_at", show=_due),
    Column("last", "last"),
)

_COLOURS = {"info": "36", "warning": "33", "error": "31", "critical": "1;37;41"}
"""SGR parameters (ECMA-48), as the console handler uses them."""


def event_line(event: Record) -> str:
    """Return an event as one line, coloured by severity on a terminal."""
    severity = str(event.get("severity"))
    head = printable(f"{moment(event.get('time'))}  {severity.upper():8} {event.get('type')}")
    if in_color():
        head = f"\x1b[{_COLOURS.get(severity, '0')}m{head}\x1b[0m"
    named = [f"{name}={event[key]}" for name, key in _NAMED if event.get(key)]
    payload = as_json(event["payload"]) if event.get("payload") else ""
    return "  ".join(filter(None, (head, printable(" ".join(named)), printable(payload))))


def webhook_fields(webhook: Record) -> Fields:
    """Return what people see of one handler."""
    numbers = part(webhook, "deliveries")
    backlog = part(numbers, "backlog")
    return [
        ("name", webhook["name"]),
        ("type", webhook.get("type")),
        ("state", webhook.get("state")),
        ("reason", None if webhook.get("disabled") else webhook.get("reason")),
        *([("started again", moment(webhook["retry_at"]))] if webhook.get("retry_at") else []),
        ("enabled", webhook.get("enabled")),
        *disabled_field(webhook),
        ("priority", webhook.get("priority")),
        ("source", source(webhook)),
        ("destination", webhook.get("destination")),
        *((f"  {name}", value) for name, value in part(webhook, "configuration").items()),
        ("delivery", webhook.get("own_delivery") or "as for all handlers"),
        ("waiting", backlog.get("pending")),
        ("tried again", backlog.get("failed")),
        ("dead", backlog.get("dead")),
        ("delivered", numbers.get("delivered")),
    ]


def attempt_line(attempt: Record) -> str:
    """Return what came of one attempt, in a line."""
    status = f" {attempt['status']}" if attempt.get("status") is not None else ""
    words = attempt.get("error") or attempt.get("response") or ""
    ended = "delivered" if attempt.get("ok") else "failed"
    return f"{ended}{status} in {attempt.get('duration_ms', 0):.3g} ms{': ' + str(words) if words else ''}"


_NAMED = (("task", "task_id"), ("execution", "execution_id"), ("source", "source"))
