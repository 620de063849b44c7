"""Both clients and the examples against a real server with a real host behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from examples.client import batch, single, stream
from hotplane.api import Server
from hotplane.app import Hotplane
from hotplane.cli import main
from hotplane.client import ApiInvalid, ApiNotFound, AsyncClient, Client, Item

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


async def test_a_sample_can_be_asked_for(address: str) -> None:
    """Of one execution and of one item; most of the others are not sampled."""
    async with AsyncClient(address) as client:
        execution = await client.execute("spam-detector", {"text": "hello"}, sample=True)
        items = [Item(input={"text": "hello"}, sample=True) for _ in range(20)]
        results = [each async for each in client.run_batch("spam-detector", items)]
    assert execution.sampling is not None
    assert execution.sampling.outcome == "forced"
    assert all(each.sampled for each in results)


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


@pytest.fixture
def here(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have clients without an address find the host."""
    monkeypatch.setenv("HOTPLANE_SERVER", address)


@pytest.mark.usefixtures("here")
async def test_the_example_of_a_single_execution(capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the label, the plugins, and why an empty text is refused."""
    await single.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["ready: True", "success: spam"]
    assert "validator link-and-prize: active" in lines
    assert lines[-1].startswith("input-rejected: ")


@pytest.mark.usefixtures("here")
async def test_the_example_of_a_batch(capsys: pytest.CaptureFixture[str]) -> None:
    """366 messages run, and their accuracy is estimated."""
    await asyncio.to_thread(batch.main)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "completed: 366 of 366 succeeded"
    assert sum(int(line.partition(": ")[2]) for line in lines[1:3]) == 366
    assert lines[3].startswith("estimated accuracy: ")


@pytest.mark.usefixtures("here")
async def test_the_example_of_a_stream(capsys: pytest.CaptureFixture[str]) -> None:
    """Four messages go up one after the other, and each has its answer; which of two is quicker is open."""
    await stream.main()
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.partition(":")[0] for line in lines[:4]) == [f"message-{n}" for n in (1, 2, 3, 4)]
    assert lines[4] == "completed: 4 of 4"


async def test_a_bad_item_in_the_middle_fails_alone(address: str) -> None:
    """A text that is too long is refused by its own result; the others have answers."""
    texts = ["ok"] * 20 + ["x" * 2000] + ["ok"] * 20
    async with AsyncClient(address) as client:
        results = [each async for each in client.run_batch("spam-detector", ({"text": each} for each in texts))]
    assert [each.position for each in results if not each.ok] == [21]
    assert len(results) == 41


async def test_a_stream_without_asyncio_has_every_result_once(address: str) -> None:
    """A thread sends, another reads; a second reader gets the same behind a cursor."""

    def run() -> tuple[list[int], list[int], int]:
        with Client(address) as client, client.stream("spam-detector", ({"text": "hi"} for _ in range(300))) as sent:
            first = [each.sequence for each in sent]
            again = [each.sequence for each in client.open_stream(str(sent.id), after=first[99])]
            return first, again, len(set(first))

    first, again, different = await asyncio.to_thread(run)
    assert (len(first), different) == (300, 300)
    assert again == first[100:]


async def test_the_same_key_makes_one_batch(address: str) -> None:
    """A repeated upload with the same key is the same batch."""
    items = [Item(input={"text": "hi"}, id=str(n)) for n in range(3)]
    async with AsyncClient(address) as client:
        first = await client.batch("spam-detector", items, idempotency_key="once")
        await first.wait()
        second = await client.batch("spam-detector", items, idempotency_key="once")
        assert first.id == second.id
        assert len([each async for each in client.batches()]) == 1


async def test_the_command_runs_the_messages_on_a_server(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Both accuracies stand side by side."""
    arguments = ["batch", "run", str(batch.MESSAGES), "-t", "spam-detector", "--server", address]
    assert await asyncio.to_thread(main, arguments) == 0
    shown = capsys.readouterr().out
    assert "accuracy, estimated (95 %)" in shown
    assert "accuracy, true" in shown


async def test_a_restart_of_the_host_goes_unnoticed(tmp_path: Path) -> None:
    """The server stops in the middle of a batch and of a stream's reader, and comes back: each result comes once."""
    overrides: dict[str, Any] = {"storage.url": str(tmp_path / "spam.db"), "server.port": 0}
    server = Server(Hotplane.from_config(SPAM, overrides=overrides))
    await server.start()
    found: list[int] = []
    async with AsyncClient(server.url) as client:
        handle = await client.batch("spam-detector", ({"text": "hi"} for _ in range(800)), max_concurrency=1)
        async for result in handle.results():
            found.append(result.position)
            if len(found) == 50:
                await server.stop(0)
                overrides["server.port"] = int(server.url.rpartition(":")[2])
                server = Server(Hotplane.from_config(SPAM, overrides=overrides))
                await server.start()
        ended = await handle.status()
    await server.stop(0)
    assert sorted(found) == list(range(1, 801))
    assert (ended.state, ended.done) == ("completed", 800)
