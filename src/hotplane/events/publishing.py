"""Events that programs outside publish: checked, named, and marked as theirs.

Imports only `settings`, `identity`, `records`, `values` and `errors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from hotplane.errors import Invalid, InvalidId, Problem, did_you_mean
from hotplane.events.settings import EventsSettings
from hotplane.identity import check_id, new_id
from hotplane.records import Event, EventType, Severity, now
from hotplane.values import Json, checked_copy, pointer

__all__ = ["MAX_PUBLISHED", "EventRefused", "NewEvent", "events_of"]

MAX_PUBLISHED = 100
"""Events of one request."""

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Source = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$")]


class EventRefused(Invalid):
    """An event cannot be published: {reasons}."""

    code = "event-refused"

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        self.reasons = "; ".join(str(problem) for problem in problems)
        super().__init__()


class NewEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that happened outside."""

    type: str
    """One of the event types."""
    severity: Severity = Severity.INFO
    time: Annotated[datetime, Meta(tz=True)] | None = None
    """When it happened, with its offset; null for the present instant."""
    source: Source | None = None
    """Who says so; it comes behind `events.source_prefix`."""
    id: str | None = None
    """Receivers know repetitions by it; null has one minted."""
    task_id: Name | None = None
    execution_id: Name | None = None
    program: Name | None = None
    payload: Mapping[str, Json] = field(default_factory=dict[str, Json])
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])


def events_of(wanted: tuple[NewEvent, ...], settings: EventsSettings, *, alone: bool) -> tuple[Event, ...]:
    """Return the events to store.

    Args:
        wanted: What is to be published.
        settings: Limits, and how outsiders are marked.
        alone: Whether the one event is the whole of a request, and no list: then pointers have no index.

    Raises:
        EventRefused: One of them cannot be published; every problem has its pointer.
        NotJson: A payload is not in the JSON data model.
    """
    problems = [
        Problem(each.message, ("" if alone else pointer(index)) + each.pointer)
        for index, new in enumerate(wanted)
        for each in _problems(new, settings)
    ]
    if problems:
        raise EventRefused(problems)
    return tuple(_event(new, settings) for new in wanted)


def _problems(new: NewEvent, settings: EventsSettings) -> list[Problem]:
    found: list[Problem] = []
    known = [kind.value for kind in EventType]
    found += _unfit(new)
    if new.type not in known:
        hint = did_you_mean(new.type, known) or f"; there are {', '.join(known)}"
        found.append(Problem(f"there is no event type {new.type[:100]!r}{hint}", "/type"))
    if new.id is not None:
        try:
            check_id(new.id, "an event's id")
        except InvalidId as error:
            found.append(Problem(str(error), "/id"))
    size = len(msgspec.json.encode(new.payload)) + len(msgspec.json.encode(new.metadata))
    if size > settings.max_event_bytes:
        limit = settings.max_event_bytes
        found.append(
            Problem(f"payload and metadata have {size} bytes; `events.max_event_bytes` is {limit}", "/payload")
        )
    return found


def _unfit(new: NewEvent) -> Iterator[Problem]:
    """Yield what the types let through and nobody could store or send."""
    if new.source is not None and new.source.endswith("\n"):  # before which `$` matches, too
        yield Problem("it ends with a line break", "/source")
    for name in ("task_id", "execution_id", "program"):
        if "\0" in (getattr(new, name) or ""):
            yield Problem("it has the character U+0000, which not every store can keep", f"/{name}")
    try:
        _ = new.time and new.time.astimezone(UTC)
    except OverflowError:
        yield Problem("in UTC it is outside the years 1 to 9999", "/time")


def _event(new: NewEvent, settings: EventsSettings) -> Event:
    return Event(
        id=new.id or new_id(),
        type=EventType(new.type),
        time=new.time or now(),
        severity=new.severity,
        source=settings.source_prefix + (f"/{new.source}" if new.source else ""),
        task_id=new.task_id,
        execution_id=new.execution_id,
        program=new.program,
        payload=_object(new.payload),
        metadata=_object(new.metadata),
    )


def _object(given: Mapping[str, Json]) -> Mapping[str, Json]:
    copy = checked_copy(given)
    return copy if isinstance(copy, dict) else {}
