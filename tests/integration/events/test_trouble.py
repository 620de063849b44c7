"""Delivering while the store fails, the plugin goes, or the host ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hotplane.errors import StorageFull
from hotplane.events import lane
from hotplane.log import capture_logs
from hotplane.storage import Claim, DeliveryState, StoredDeliveries
from tests.integration.events.scene import emit, until
from tests.integration.events.test_outbox import Recorder, make, state_is


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The address of an empty store."""
    return f"sqlite:///{tmp_path / 'host.db'}"


async def test_a_store_that_fails_holds_deliveries_up_and_loses_none(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked again, less and less often; the log says so once."""
    monkeypatch.setattr(lane, "_FIRST_PAUSE", 0.01)
    refusals, claim = [StorageFull("host.db")] * 3, StoredDeliveries.claim

    async def full_at_first(deliveries: StoredDeliveries, wanted: Claim) -> Any:
        if refusals:
            raise refusals.pop()
        return await claim(deliveries, wanted)

    monkeypatch.setattr(StoredDeliveries, "claim", full_at_first)
    handler = Recorder()
    with capture_logs() as logs:
        async with make(store, handler) as host:
            await emit(host, 3)
            await until(lambda: len(handler.taken) == 3)
    assert [entry["event"] for entry in logs].count("events.store-trouble") == 1


async def test_a_plugin_that_goes_while_events_wait_gets_them_when_it_is_back(store: str) -> None:
    """What was claimed for it and not begun is given back, and none of it counts as tried."""
    handler = Recorder()
    handler.open.clear()
    async with make(store, handler, concurrency=1) as host:
        await emit(host, 5)
        await until(lambda: handler.contexts)
        await host.plugins.disable("recorder")
        handler.open.set()
        await until(lambda: len(handler.taken) == 1)
        await asyncio.sleep(0.05)
        assert len(handler.taken) == 1
        await host.plugins.enable("recorder")
        await until(lambda: len(handler.taken) == 5)
        await until(lambda: state_is(host, DeliveryState.DELIVERED))
        assert all(context.retry_attempt == 0 for context in handler.contexts)


async def test_a_host_that_ends_while_its_store_is_full_says_what_it_leaves(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its leases end by time, and then the events are delivered again."""

    async def full(*_: Any, **__: Any) -> None:
        raise StorageFull("host.db")

    handler = Recorder()
    with capture_logs() as logs:
        host = make(store, handler)
        await host.start()
        monkeypatch.setattr(StoredDeliveries, "settle", full)
        await emit(host, 1)
        await until(lambda: handler.taken)
        await host.stop(0.1)
    assert "events.leases-left" in [entry["event"] for entry in logs]
