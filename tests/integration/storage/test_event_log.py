"""Following the log of events, with several hosts that write."""

from __future__ import annotations

import asyncio

from hotplane.identity import new_id
from hotplane.records import Event, EventType, now
from hotplane.storage import EventFilter, StorageSettings, Store

ROUNDS = 60
WANTED = EventFilter(types=frozenset({EventType.TASK_CREATED}))


def an_event(kind: EventType = EventType.TASK_CREATED) -> Event:
    """Return a new event."""
    return Event(id=new_id(), type=kind, time=now())


def place_of(event: Event) -> int:
    """Return where in the log a stored event is."""
    assert isinstance(event.sequence, int)
    return event.sequence


async def write(store: Store, size: int) -> list[str]:
    """Publish groups, one after the other, with other events in between; return the ids of those that are wanted."""
    written: list[str] = []
    for _ in range(ROUNDS):
        group = [an_event() for _ in range(size)]
        await store.publish_events([*group, an_event(EventType.TASK_DELETED)])
        written += [event.id for event in group]
    return written


async def test_a_reader_skips_nothing_that_two_hosts_commit(url: str) -> None:
    """Large and small transactions of both overlap; the reader goes on from place to place and sees each event once."""
    stores = [await Store.open(StorageSettings(url=url)) for _ in range(3)]
    reader = stores[2]
    writers = asyncio.gather(write(stores[0], 1), write(stores[1], 40))
    seen: list[str] = []
    places: list[int] = []
    after, ended = 0, False
    while not ended:
        ended = writers.done()  # what is there now is everything
        while True:
            found, after = await reader.event_log.follow(WANTED, after=after, limit=17)
            seen += [event.id for event in found]
            places += [place_of(event) for event in found]
            if len(found) < 17:
                break
        await asyncio.sleep(0)
    written = [name for names in writers.result() for name in names]
    assert len(seen) == len(set(seen)) == len(written)
    assert set(seen) == set(written)
    assert places == sorted(places)
    for store in stores:
        await store.close()


async def test_published_events_come_back_with_their_places(store: Store) -> None:
    """The places that they have in the log, in the order in which they were given."""
    await store.append_events([an_event()])
    made = await store.publish_events([an_event() for _ in range(3)])
    assert made == await store.list_events(after=place_of(made[0]) - 1)


async def test_what_does_not_fit_is_not_looked_at_again(store: Store) -> None:
    """The place moves on over it."""
    made = await store.publish_events([an_event(EventType.TASK_DELETED) for _ in range(5)])
    found, place = await store.event_log.follow(WANTED)
    assert (found, place) == ((), made[-1].sequence)
    assert await store.event_log.newest_sequence() == made[-1].sequence


async def test_a_place_that_the_log_has_not_reached_is_its_end(store: Store) -> None:
    """A reader who comes with a place of a lost store is told the next event, not the one behind that place."""
    assert await store.event_log.follow(after=900) == ((), 0)
    [first] = await store.publish_events([an_event()])
    found, place = await store.event_log.follow(after=900)
    assert (found, place) == ((), first.sequence)
    made = await store.publish_events([an_event()])
    assert await store.event_log.follow(after=place) == (made, made[-1].sequence)


async def test_pages_from_the_newest_on(store: Store) -> None:
    """A cursor leads on; nothing is twice."""
    made = await store.publish_events([an_event() for _ in range(5)])
    first = await store.event_log.newest(limit=3)
    rest = await store.event_log.newest(limit=3, cursor=first.next_cursor)
    assert (*first.items, *rest.items) == tuple(reversed(made))
    assert rest.next_cursor is None
