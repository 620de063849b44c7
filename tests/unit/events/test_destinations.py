"""The breakers of the places that events go to."""

from __future__ import annotations

from typing import Any

import pytest

import hotplane.events
from hotplane.events.addressing import ALL_EVENTS, supported_by
from hotplane.events.destinations import Destinations, wait_of
from hotplane.log import capture_logs, get_logger
from hotplane.plugins import WebhookHandler
from hotplane.records import PluginMetadata
from hotplane.routing import BreakerSettings


class Handler(WebhookHandler[Any]):
    """Goes where the test says."""

    metadata = PluginMetadata(name="handler", version="1")
    place = "https://one.example"

    def destination(self) -> str:
        if not self.place:
            raise LookupError("nowhere yet")
        return self.place


@pytest.fixture
def destinations() -> Destinations:
    """Destinations on a clock that stands."""
    return Destinations(BreakerSettings(), clock=lambda: 0.0, log=get_logger())


def moved(place: str) -> Handler:
    """Return a handler that goes somewhere."""
    handler = Handler()
    handler.place = place
    return handler


def test_handlers_of_one_place_share_a_breaker(destinations: Destinations) -> None:
    """It stays as long as one of them uses it."""
    one = destinations.of("a", moved("x"), 1.0)
    assert destinations.of("b", moved("x"), 1.0) is one
    destinations.forget("a")
    assert destinations.of("b", moved("x"), 1.0) is one
    assert wait_of(one) is None
    destinations.forget("b")
    assert destinations.snapshots() == ()


def test_a_handler_that_moves_leaves_its_breaker(destinations: Destinations) -> None:
    """The old place is forgotten when nobody goes there."""
    destinations.of("a", moved("x"), 1.0)
    destinations.of("a", moved("y"), 1.0)
    assert [each.name for each in destinations.snapshots()] == ["y"]


def test_a_handler_that_cannot_say_where_it_goes_has_a_place_of_its_own(destinations: Destinations) -> None:
    """Its name; the log has why."""
    with capture_logs() as logs:
        destinations.of("a", moved(""), 1.0)
    assert [each.name for each in destinations.snapshots()] == ["a"]
    assert logs[0]["event"] == "events.no-destination"


def test_a_handler_that_cannot_say_what_it_wants_is_offered_everything() -> None:
    """An author may have made it a property that fails."""

    class Broken:
        @property
        def supported_events(self) -> Any:
            raise LookupError

    assert supported_by(Broken()) is ALL_EVENTS


def test_the_rooms_names_are_there_when_they_are_used() -> None:
    """And no others."""
    assert {"Outbox", "Happenings"} <= set(dir(hotplane.events))
    with pytest.raises(AttributeError, match="Nobody"):
        _ = hotplane.events.Nobody  # pyright: ignore[reportAttributeAccessIssue]
