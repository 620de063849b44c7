"""What happens to plugins, as it happens. Imports only lower rooms and `hotplane.api`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hotplane.api.answers import host_of
from hotplane.api.describe import PROBLEMS_KEY, SERVER_SENT_EVENT
from hotplane.api.ongoing import ongoing_of
from hotplane.api.streams import EventStream
from hotplane.host import HealthChange, PluginNews, Reload

__all__ = ["router"]

router = APIRouter(prefix="/api/plugins", tags=["plugins"])

_EXAMPLE = (
    'event: transition\ndata: {"plugin_id":"percentage-sampler","before":"loading","after":"active","reason":"",'
    '"at":"2026-01-15T09:30:00Z"}\n\n'
)
_events: Any = {
    "response_class": Response,
    "response_model": None,
    "responses": {
        200: {
            "description": "Events, until the client leaves or the server stops.",
            "content": {"text/event-stream": {"schema": SERVER_SENT_EVENT, "example": _EXAMPLE}},
        }
    },
    "openapi_extra": {PROBLEMS_KEY: [503]},
}


@router.get("/events", operation_id="streamEvents", summary="Follow what happens to plugins", **_events)
async def stream_events(request: Request) -> Response:
    """Send every step, reload and change of health of every plugin from now on, as Server-Sent Events.

    The events are `transition`, `reload` and `health`; their data is JSON. To a client that was too slow `missed` tells
    how many `events` were dropped. Every 15 seconds without an event a comment is sent. Who wants to know where
    everything stands begins to follow first, and lists the plugins then.
    """
    ongoing = ongoing_of(request)
    return EventStream(host_of(request).plugins.subscribe(ongoing.event_queue), _named, ongoing.streams)


def _named(news: PluginNews) -> tuple[str, object]:
    if isinstance(news, Reload):
        return "reload", news
    return ("health" if isinstance(news, HealthChange) else "transition"), news
