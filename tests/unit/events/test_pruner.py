"""Deleting old events now and then."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from hotplane.errors import StorageFull
from hotplane.events import EventsSettings, pruner
from hotplane.events.pruner import Pruner
from hotplane.log import capture_logs, get_logger
from hotplane.storage import StoredDeliveries


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return 0.0


class Slices:
    """A store that is full at first, and then has two slices to delete."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.done = asyncio.Event()

    async def prune(self, *, after: int, **limits: Any) -> int | None:
        self.calls.append(after)
        if len(self.calls) == 1:
            raise StorageFull("store.db")
        if after == 0:
            return 500
        self.done.set()
        return None


async def test_it_goes_on_after_trouble_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that takes nothing is asked again the next time."""
    monkeypatch.setattr(pruner, "_FIRST_SECONDS", 0.0)
    monkeypatch.setattr(pruner, "_EVERY_SECONDS", 0.01)
    slices = Slices()
    pruning = Pruner(cast("StoredDeliveries", slices), EventsSettings(), Clock(), get_logger())
    await pruning.stop()  # also before it was started
    with capture_logs() as logs:
        pruning.start()
        async with asyncio.timeout(20):
            await slices.done.wait()
        await pruning.stop()
    assert slices.calls[:3] == [0, 0, 500]
    assert [entry["event"] for entry in logs] == ["events.not-pruned"]
