"""Trying again what the store refused."""

from __future__ import annotations

from itertools import islice

import pytest

from hotplane.errors import ShuttingDown, StorageFull, UnknownBatch
from hotplane.execution.batch import patience
from hotplane.execution.batch.patience import delays, insist, passing


class Refusing:
    """A store that refuses some times, and what was told of it."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.told: list[str | None] = []

    async def call(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "stored"


def test_tries_come_less_and_less_often() -> None:
    """Doubling up to five seconds."""
    assert list(islice(delays(), 9)) == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


async def test_what_was_refused_for_now_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each refusal is told, and that it is over; where nothing was refused nothing is told."""
    monkeypatch.setattr(patience, "_FIRST", 0.001)
    store = Refusing(StorageFull("store.db"), StorageFull("store.db"))
    assert await insist(store.call, store.told.append) == "stored"
    assert [told is None for told in store.told] == [False, False, True]
    assert await insist(store.call, store.told.append) == "stored"
    assert len(store.told) == 3


@pytest.mark.parametrize("error", [ShuttingDown(), UnknownBatch("b")])
async def test_what_will_be_refused_again_is_not_tried_again(error: Exception) -> None:
    """A store that closes takes nothing more, and what is wrong stays wrong."""
    store = Refusing(error)
    with pytest.raises(type(error)):
        await insist(store.call, store.told.append)
    assert store.told == []


def test_a_full_disk_passes_and_an_end_does_not() -> None:
    """What a later try may find mended."""
    assert passing(StorageFull("store.db"))
    assert not passing(ShuttingDown())
