"""Both clients and the examples against a real server with a real host behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from examples.client import single
from hotplane.api import Server
from hotplane.app import Hotplane
from hotplane.client import ApiInvalid, ApiNotFound, AsyncClient, Client

SPAM = Path(__file__).parents[3] / "examples" / "spam" / "hotplane.yaml"


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a server with the spam detector."""
    overrides: dict[str, Any] = {"storage.url": str(tmp_path / "spam.db"), "server.port": 0}
    server = Server(Hotplane.from_config(SPAM, overrides=overrides))
    await server.start()
    yield server.url
    await server.stop(0)


async def test_tasks_plugins_and_health_are_read(address: str) -> None:
    """What the management routes answer fits the client's types."""
    async with AsyncClient(address) as client:
        assert [each.id for each in await client.tasks()] == ["spam-details", "spam-detector"]
        plugins = {each.id: each for each in await client.plugins()}
        assert plugins["link-and-prize"].state == "active"
        assert (await client.plugin("json-schema-validator")).config_schema
        assert (await client.plugin_health("link-and-prize")).plugin_id == "link-and-prize"
        assert (await client.health()).states["active"] >= 3
        assert (await client.ready()).ready
        assert (await client.quality("spam-detector")).executions == 0


async def test_a_plugin_is_stopped_started_and_restarted(address: str) -> None:
    """Operations come back when they have ended."""
    async with AsyncClient(address) as client:
        states = [
            (await client.plugin_stop("link-and-prize")).state,
            (await client.plugin_start("link-and-prize")).state,
            (await client.plugin_restart("link-and-prize")).state,
        ]
    assert states == ["unloaded", "active", "active"]


async def test_refusals_are_the_servers_words(address: str) -> None:
    """Unknown things are not found, bad inputs have a pointer and a record."""
    async with AsyncClient(address) as client:
        with pytest.raises(ApiNotFound, match="nothing"):
            await client.plugin("nothing")
        with pytest.raises(ApiInvalid) as found:
            await client.execute("spam-detector", {"text": 7})
    assert (found.value.code, found.value.problems[0].pointer) == ("input-rejected", "/input/text")
    assert found.value.execution_id


async def test_the_client_without_asyncio_gets_the_same(address: str) -> None:
    """One execution and one plugin, from a thread."""

    def ask() -> tuple[object, str]:
        with Client(address) as client:
            return client.execute("spam-detector", {"text": "hi"}).output, client.plugin("link-and-prize").id

    assert await asyncio.to_thread(ask) == ("ham", "link-and-prize")


async def test_the_example_of_a_single_execution(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the label, the plugins, and why an empty text is refused."""
    await single.main(address)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["ready: True", "success: spam"]
    assert "validator link-and-prize: active" in lines
    assert lines[-1].startswith("input-rejected: ")
