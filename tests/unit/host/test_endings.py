"""Operations on plugins that meet their like, or the end of the host."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hotplane.errors import UnknownPlugin
from hotplane.records import PluginMetadata, PluginState
from tests.unit.host.test_manager import Base, House, Plain


class Hanging(Base):
    """Comes up at once the first time, and never again."""

    metadata = PluginMetadata(name="hanging", version="1")
    begun: asyncio.Event
    starts = 0

    async def start(self, context: Any) -> None:
        cls = type(self)
        cls.starts += 1
        if cls.starts > 1:
            cls.begun.set()
            await asyncio.Event().wait()

    async def stop(self) -> None:
        await asyncio.sleep(0.01)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Return a manager that knows two types."""
    Hanging.starts, Hanging.begun = 0, asyncio.Event()
    made = House(Plain, Hanging, start_timeout_seconds=120)
    yield made
    await made.manager.stop_all()
    made.threads.close()


async def test_a_reload_that_hangs_does_not_hold_the_end(house: House) -> None:
    """It is broken off, who asked for it hears so, and the old generation is stopped in order."""
    house.add("hanging")
    await house.manager.start("hanging")
    asked = asyncio.create_task(house.manager.reload("hanging"))
    await asyncio.wait_for(Hanging.begun.wait(), 60)
    async with asyncio.timeout(60):
        await house.manager.stop_all()
        with pytest.raises(asyncio.CancelledError):
            await asked
    assert [reload.outcome for reload in house.reloads] == ["failed"]
    assert house.manager.get("hanging").state is PluginState.UNLOADED


async def test_a_start_that_nobody_waits_for_does_not_hold_the_end(house: House) -> None:
    """It is broken off, too."""
    house.add("hanging")
    Hanging.starts = 1
    house.manager.start_soon("hanging")
    await asyncio.wait_for(Hanging.begun.wait(), 60)
    async with asyncio.timeout(60):
        await house.manager.stop_all()
    assert house.manager.get("hanging").state is not PluginState.ACTIVE
    assert house.steps[1].reason == "its start was cancelled"


async def test_two_starts_that_nobody_waits_for_are_one(house: House) -> None:
    """The second finds the plugin active, and leaves it alone."""
    mishaps = list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: mishaps.append(context))
    house.add("plain")
    for _ in range(2):
        house.manager.start_soon("plain")
    async with asyncio.timeout(60):
        while house.manager.get("plain").state is not PluginState.ACTIVE:  # noqa: ASYNC110 - told to nobody
            await asyncio.sleep(0.001)
    assert (await house.manager.start("plain")).generation == 1
    gc.collect()  # only then a task tells that nobody asked for its error
    assert mishaps == []


async def test_a_files_change_does_not_weaken_an_operators_wish(house: House) -> None:
    """It joins the reload that waits, which stays the operator's and so happens although no file has changed."""
    house.add("plain")
    await house.manager.start("plain")
    wish = asyncio.create_task(house.manager.reload("plain"))
    await asyncio.sleep(0)
    house.manager.reload_soon("plain")
    assert (await wish).generation == 2
    assert [(reload.outcome, reload.trigger) for reload in house.reloads] == [("swapped", "operator")]


async def test_two_removals_at_once_are_one(house: House) -> None:
    """Both succeed, and the id is free again."""
    house.add("hanging")
    await house.manager.start("hanging")
    await asyncio.gather(house.manager.remove("hanging"), house.manager.remove("hanging"))
    with pytest.raises(UnknownPlugin):
        house.manager.get("hanging")
    house.add("hanging")
    assert house.manager.get("hanging").state is PluginState.UNLOADED
