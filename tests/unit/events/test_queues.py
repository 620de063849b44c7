"""Looking up how long the queues are, without troubling the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest

from hotplane.errors import StorageUnavailable
from hotplane.events import queues
from hotplane.events.queues import Queues
from hotplane.log import capture_logs, get_logger
from hotplane.storage import Queue


class Deliveries:
    """A store that answers when the test lets it."""

    def __init__(self) -> None:
        self.looks: list[Sequence[str]] = []
        self.pending = 1
        self.answers = asyncio.Event()
        self.answers.set()
        self.failure: Exception | None = None

    async def queues(self, handlers: Sequence[str]) -> dict[str, Queue]:
        self.looks.append(handlers)
        await self.answers.wait()
        if self.failure is not None:
            raise self.failure
        return {handler: Queue(pending=self.pending, dead=0, oldest=None) for handler in handlers}


@pytest.fixture
def store() -> Deliveries:
    """A store."""
    return Deliveries()


@pytest.fixture
async def watched(store: Deliveries) -> AsyncIterator[Queues]:
    """The queues of that store."""
    made = Queues(cast("Any", store), get_logger())
    yield made
    await made.close()


async def test_the_store_is_not_asked_at_every_scrape(
    store: Deliveries, watched: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found is good for some seconds, and nobody waits meanwhile."""
    monkeypatch.setattr(queues, "perf_counter", lambda: 0.0)
    for _ in range(3):
        assert (await watched.of(["a"]))["a"].pending == 1
    assert store.looks == [("a",)]


async def test_a_new_handler_is_looked_up_at_once(store: Deliveries, watched: Queues) -> None:
    """Its series begins with its first scrape."""
    await watched.of(["a"])
    assert set(await watched.of(["a", "b"])) == {"a", "b"}
    assert store.looks == [("a",), ("a", "b")]


async def test_a_long_look_is_kept_for_longer(
    store: Deliveries, watched: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that took ten seconds is good for 500, so that the store is free for other work."""
    seconds = 0.0
    monkeypatch.setattr(queues, "perf_counter", lambda: seconds)
    monkeypatch.setattr(queues, "_PATIENCE_SECONDS", 0.01)
    store.answers.clear()
    assert await watched.of(["a"]) == {}
    seconds = 10.0
    store.answers.set()
    assert (await watched.of(["a"]))["a"].pending == 1
    seconds = 509.0
    await watched.of(["a"])
    assert len(store.looks) == 1
    seconds = 511.0
    await watched.of(["a"])
    assert len(store.looks) == 2


async def test_who_asks_during_a_long_look_gets_what_was_known(
    store: Deliveries, watched: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scrape does not wait for a slow store, and two scrapes do not look twice."""
    seconds = 0.0
    monkeypatch.setattr(queues, "perf_counter", lambda: seconds)
    monkeypatch.setattr(queues, "_PATIENCE_SECONDS", 0.01)
    await watched.of(["a"])
    seconds, store.pending = 6.0, 9
    store.answers.clear()
    for _ in range(2):
        assert (await watched.of(["a"]))["a"].pending == 1
    assert len(store.looks) == 2


async def test_a_store_that_cannot_tell_leaves_the_numbers_out(
    store: Deliveries, watched: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old numbers would pass for new ones; the log tells, once for every look."""
    seconds = 0.0
    monkeypatch.setattr(queues, "perf_counter", lambda: seconds)
    await watched.of(["a"])
    seconds, store.failure = 6.0, StorageUnavailable("hotplane.db", "it is away")
    with capture_logs() as logs:
        assert await watched.of(["a"]) == await watched.of(["a"]) == {}
    assert [each["event"] for each in logs] == ["events.queues-unknown"]
