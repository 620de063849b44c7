"""The bodies of events and webhook handlers in the API's description, with an example of each. Imports lower rooms."""

from __future__ import annotations

from typing import Any

from hotplane.api.answers import Items
from hotplane.api.routes.events import EventPage, NewEvents, ReplayBody
from hotplane.events.publishing import NewEvent
from hotplane.records import Event
from hotplane.storage import Delivery, Page
from hotplane.webhooks import ReplayedPage, Tried, Webhook, WebhookChange, WebhookSpec

__all__ = ["EVENT_EXAMPLES", "EVENT_MODELS"]

_ID = "0190a5c1-7b1e-7c3a-9f2b-2f6d5a4c3b21"
_TIME = "2026-01-15T09:30:00Z"

EVENT_MODELS: tuple[Any, ...] = (
    Event, Items[Event], EventPage, NewEvent, NewEvents, ReplayBody, ReplayedPage, Delivery, Page[Delivery], Webhook,
    Items[Webhook], WebhookSpec, WebhookChange, Tried,
)  # fmt: skip

_NEW = {
    "type": "canary.deployment.started",
    "severity": "info",
    "source": "deployer",
    "payload": {"version": "1.4.0", "share": 0.05},
}
_EVENT: dict[str, Any] = {
    "id": _ID,
    "type": "canary.deployment.started",
    "time": _TIME,
    "severity": "info",
    "source": "external/deployer",
    "task_id": None,
    "execution_id": None,
    "program": None,
    "payload": {"version": "1.4.0", "share": 0.05},
    "metadata": {},
    "sequence": 42,
}
_ATTEMPT = {"at": _TIME, "ok": True, "duration_ms": 12.5, "status": 200, "response": "ok"}
_DELIVERY: dict[str, Any] = {
    "handler": "deployments",
    "sequence": 42,
    "event_id": _ID,
    "event_type": "canary.deployment.started",
    "state": "delivered",
    "attempts": 1,
    "due_at": None,
    "order_key": None,
    "updated_at": _TIME,
    "history": [_ATTEMPT],
}
_SPEC: dict[str, Any] = {
    "name": "deployments",
    "type": "console-webhook-handler",
    "enabled": True,
    "configuration": {"stream": "stderr"},
    "delivery": {"concurrency": 4},
}
_WEBHOOK: dict[str, Any] = {
    "name": "deployments",
    "type": "console-webhook-handler",
    "source": "api",
    "overridden": False,
    "enabled": True,
    "priority": 0,
    "state": "active",
    "reason": None,
    "disabled": None,
    "retry_at": None,
    "destination": "deployments",
    "configuration": {"stream": "stderr", "colour": "auto", "pretty": True},
    "events": ["canary.deployment.started", "canary.deployment.succeeded"],
    "delivery": {"concurrency": 4, "order": "none"},
    "own_delivery": {"concurrency": 4},
}

EVENT_EXAMPLES: dict[str, Any] = {
    "NewEvents": _NEW,
    "published": {"items": [_EVENT]},
    "events": {"items": [_EVENT], "next_cursor": None, "next_after": None},
    "ReplayBody": {"state": "dead", "since": _TIME},
    "replayed": {"deliveries": 3, "handlers": {"deployments": 3}, "next_cursor": None},
    "delivery": _DELIVERY,
    "deliveries": {"items": [_DELIVERY], "next_cursor": None},
    "WebhookSpec": _SPEC,
    "WebhookChange": {key: value for key, value in _SPEC.items() if key not in {"name", "type"}},
    "webhook": {
        **_WEBHOOK,
        "deliveries": {
            "backlog": {"pending": 0, "delivering": 0, "failed": 0, "dead": 0},
            "delivered": 1,
            "failed": 0,
            "died": 0,
        },
    },
    "webhooks": {"items": [_WEBHOOK]},
    "tried": {
        "event": {key: value for key, value in _EVENT.items() if key != "sequence"} | {"metadata": {"test": True}},
        "dry_run": False,
        "attempt": {**_ATTEMPT, "by_hand": True},
    },
}
"""By the name of a request's struct, or of an answer."""
