"""Following the log of events over lost connections. Imports `client.sse` and its own room."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hotplane.cli.failure import ConnectionLost, NotHotplane, ServerRefused, ServerUnreachable, say
from hotplane.cli.remote import Remote, path

if TYPE_CHECKING:
    from hotplane.client.sse import SseParser

__all__ = ["tailed"]

_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
_OVERLOADED = 503


def tailed(remote: Remote, query: Mapping[str, Any], after: int | None) -> Iterator[dict[str, Any]]:
    """Yield events for ever; when a connection is lost, the next one goes on where it was.

    Args:
        remote: The server.
        query: Which events.
        after: The place to begin behind; None for now.

    Raises:
        ServerUnreachable, ServerRefused: At the first connection. Later ones are tried again.
    """
    place, failures = "", 0
    while True:
        parser = _parser()
        try:
            for event in _connection(remote, query, after, place, parser):
                place, failures = parser.last_event_id or place, 0
                yield event
        except (ServerUnreachable, ConnectionLost) as error:
            if not (place or parser.last_event_id):
                raise
            _tell(failures, str(error))
        except ServerRefused as error:
            if error.status != _OVERLOADED or not place:
                raise
            _tell(failures, str(error))
        place = parser.last_event_id or place
        time.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
        failures += 1


def _connection(
    remote: Remote, query: Mapping[str, Any], after: int | None, place: str, parser: SseParser
) -> Iterator[dict[str, Any]]:
    import msgspec

    headers = {"accept": "text/event-stream", **({"last-event-id": place} if place else {})}
    for part in remote.parts(path("events"), {**query, "after": after}, headers):
        for event in parser.feed(part):
            try:
                yield msgspec.json.decode(event.data, type=dict[str, Any])
            except msgspec.DecodeError:
                raise NotHotplane(remote.address, "an event of it is not JSON") from None


def _parser() -> SseParser:
    from hotplane.client.sse import SseParser

    return SseParser()


def _tell(failures: int, why: str) -> None:
    if not failures:
        say(f"{why} Following is taken up when the server answers.")
