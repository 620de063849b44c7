"""What happened: listed, followed, published, delivered anew. Imports only lower rooms and `hotplane.api`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, cast

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec import Meta, Struct

from hotplane.api.answers import Items, answer, body_of, host_of
from hotplane.api.bodies import Body
from hotplane.api.describe import SERVER_SENT_EVENT, described
from hotplane.api.event_forms import FORMS, followed
from hotplane.api.event_queries import EventQuery
from hotplane.api.following import cursor_of
from hotplane.api.ongoing import ongoing_of
from hotplane.api.refusals import BodyDoesNotFit, QueryDoesNotFit
from hotplane.api.unending import EVENT_STREAM, Unending
from hotplane.builtin.webhooks.choosing import chosen_types
from hotplane.events.publishing import MAX_PUBLISHED, NewEvent, events_of
from hotplane.records import Event
from hotplane.storage import EventRange
from hotplane.webhooks import ReplayedPage

__all__ = ["EventPage", "NewEvents", "ReplayBody", "router"]

router = APIRouter(prefix="/api/events", tags=["events"])

Instant = Annotated[datetime, Meta(tz=True)]
NewEvents = NewEvent | Annotated[list[NewEvent], Meta(min_length=1, max_length=MAX_PUBLISHED)]
"""The body that publishes: one event, or several."""


class EventPage(Struct, frozen=True, kw_only=True):
    """Some events, and where the next ones begin."""

    items: tuple[msgspec.Raw, ...]
    """Each in the form that was asked for."""
    next_cursor: str | None = None
    """Of a list that has the newest first: where it goes on; null when there are no older ones."""
    next_after: int | None = None
    """Of a list with `after`: where it goes on, also when nothing new is there yet."""


class ReplayBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events to deliver anew."""

    handler: str | None = None
    """To whom; null for every handler, of which only dead deliveries can be replayed."""
    state: Literal["dead", "any"] = "dead"
    """`dead`: events whose delivery is dead. `any`: all, also those that came before the handler did."""
    event: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    """A single event, by its place in the log: `sequence`."""
    types: Annotated[tuple[str, ...], Meta(max_length=100)] = ()
    """Event types, or groups of them such as `plugin.*`; empty for all."""
    since: Instant | None = None
    """Taken in by the host at or after this instant."""
    until: Instant | None = None
    """Taken in before this instant."""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 1000
    """How many events are looked at before the answer."""
    cursor: str | None = None
    """`next_cursor` of the answer before."""


_REPLAY = Body(ReplayBody)
_PUBLISH = Body[Any](cast("type[Any]", NewEvents))
_RESUME: dict[str, Any] = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "Of a stream: the id of the last event that was received; what comes behind it is sent.",
    "example": "0",
}
_STREAM = {
    "schema": SERVER_SENT_EVENT,
    "example": 'id: 42\ndata: {"id":"0190a5c1-7b1e-7c3a-9f2b-2f6d5a4c3b21","type":"plugin.failed"}\n\n',
}

_list: Any = described(EventPage, problems=(422, 503), example="events")
_list["responses"][200]["content"][EVENT_STREAM] = _STREAM
_list["openapi_extra"]["parameters"] = [_RESUME]
_publish: Any = described(
    Items[Event],
    body=NewEvents,
    body_example="NewEvents",
    status=201,
    problems=(400, 413, 415, 422, 503, 507),
    example="published",
)
_replay: Any = described(
    ReplayedPage, body=ReplayBody, problems=(400, 404, 413, 415, 422, 503, 507), example="replayed"
)


@router.get("", operation_id="listEvents", summary="List events, or follow them", **_list)
async def list_events(request: Request, query: Annotated[EventQuery, Query()]) -> Response:
    """Return one page of the events that every filter fits: newest first, or behind `after` oldest first.

    With `Accept: text/event-stream` events are sent as they are committed: behind `Last-Event-ID`, behind `after`, or
    from now on. The id of each is its place in the log, the data is its JSON, without line breaks. No event is skipped,
    and a reader that is slow holds up only itself. Every 15 seconds without an event a comment is sent. A place that
    the log has not reached, such as one of a store that was lost, counts as its end.
    """
    if EVENT_STREAM in request.headers.get("accept", ""):
        return await _stream(request, query)
    log, encode, wanted = host_of(request).store.event_log, FORMS[query.format], query.to_filter()
    if query.after is None:
        page = await log.newest(wanted, limit=query.limit, cursor=query.cursor)
        return answer(EventPage(items=_raw(page.items, encode), next_cursor=page.next_cursor))
    if query.cursor is not None:
        raise QueryDoesNotFit([("cursor", "`after` and `cursor` go opposite ways; give one of them")])
    found, reached = await log.follow(wanted, after=query.after, limit=query.limit)
    return answer(EventPage(items=_raw(found, encode), next_after=reached))


@router.post("", operation_id="publishEvents", summary="Publish events", **_publish)
async def publish_events(request: Request) -> Response:
    """Take one event, or a list of at most 100, from a program outside.

    They are committed together with their deliveries before the answer, all of them or none. Their `source` begins with
    `events.source_prefix`, so that nobody can pass for the host.
    """
    host = host_of(request)
    body = await body_of(request, _PUBLISH)
    alone = isinstance(body, NewEvent)
    events = events_of((body,) if alone else tuple(body), host.config.events, alone=alone)
    return answer(Items(await host.store.publish_events(events)), 201)


@router.post("/replay", operation_id="replayEvents", summary="Deliver events anew", **_replay)
async def replay_events(request: Request) -> Response:
    """Have dead deliveries, or a range of events, delivered anew; call again with `next_cursor` until it is null.

    What is under way, or will be tried again anyway, stays as it is.
    """
    body = await body_of(request, _REPLAY)
    if body.state == "any" and body.handler is None:
        raise BodyDoesNotFit("`any` sends events again that were delivered: name the handler", "/handler")
    try:
        types = chosen_types(body.types) if body.types else frozenset[Any]()
    except ValueError as error:
        raise BodyDoesNotFit(str(error), "/types") from None
    done = await host_of(request).webhooks.replay(
        body.handler,
        EventRange(sequence=body.event, types=types, came_from=body.since, came_to=body.until),
        dead_only=body.state == "dead",
        limit=body.limit,
        cursor=body.cursor,
    )
    return answer(done)


async def _stream(request: Request, query: EventQuery) -> Response:
    store, streams = host_of(request).store, ongoing_of(request).streams
    resumed = request.headers.get("last-event-id", "")
    newest = await store.event_log.newest_sequence()
    after = cursor_of(resumed) if resumed else query.after
    # Behind a place of another store nothing would come for long.
    after = newest if after is None else min(after, newest)
    parts = followed(store, query.to_filter(), after, form=query.format, heartbeat_seconds=streams.heartbeat_seconds)
    return Unending(parts, streams, EVENT_STREAM)


def _raw(events: tuple[Event, ...], encode: Any) -> tuple[msgspec.Raw, ...]:
    return tuple(msgspec.Raw(encode(each)) for each in events)
