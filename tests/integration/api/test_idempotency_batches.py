"""Batches and streams with an idempotency key: what was uploaded once runs once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import msgspec

KEY = {"idempotency-key": "a"}
LINES = {**KEY, "content-type": "application/x-ndjson"}
BATCH = "/api/batch/execute?task=echo"
STREAM = "/api/stream/execute?task=echo&detach=true"
ITEMS = b"".join(b'{"input": %d}\n' % number for number in range(200))


async def batches(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    """Return every batch, newest first."""
    return (await client.get("/api/batch")).json()["items"]


async def ended(client: httpx2.AsyncClient, batch_id: str) -> dict[str, Any]:
    """Wait until a batch has ended."""
    while (status := (await client.get(f"/api/batch/{batch_id}")).json())["finished_at"] is None:  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0.02)
    return status


async def test_a_small_batch_gets_its_results_again(edge: Any) -> None:
    """Byte by byte, without running anything."""
    first, again = [await edge.client.post(BATCH, json=[{"input": 1}, {"input": 2}], headers=KEY) for _ in range(2)]
    assert (first.status_code, again.content) == (200, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert len(await batches(edge.client)) == 1
    other = await edge.client.post(BATCH, json=[{"input": 1}], headers=KEY)
    assert other.json()["code"] == "idempotency-key-reused"


async def test_an_uploaded_batch_is_shown_as_it_is_now(edge: Any) -> None:
    """The repeat may upload it again; its lines are compared and dropped."""
    first = await edge.client.post(BATCH, content=ITEMS, headers=LINES)
    assert first.status_code == 202
    done = await ended(edge.client, first.json()["id"])
    again = await edge.client.post(BATCH, content=ITEMS, headers=LINES)
    assert (again.status_code, again.json()) == (202, done)
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    other = await edge.client.post(BATCH, content=ITEMS + ITEMS, headers=LINES)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert len(await batches(edge.client)) == 1


async def test_a_stream_is_shown_as_it_is_now(edge: Any) -> None:
    """With where its events are found."""
    first = await edge.client.post(STREAM, content=ITEMS, headers=LINES)
    assert first.headers["content-type"].startswith("text/event-stream")
    again = await edge.client.post(STREAM, content=ITEMS, headers=LINES)
    assert (again.status_code, again.json()["done"]) == (200, 200)
    assert again.headers["location"] == first.headers["location"]
    assert len(await batches(edge.client)) == 1


async def test_a_stream_can_be_asked_for_while_it_runs(edge: Any) -> None:
    """Its answer lasts as long as it does; the key is decided once the upload has ended."""
    path = "/api/stream/execute?task=patient&detach=true"
    endless = b'{"input": 3600}\n'
    async with edge.client.stream("POST", path, content=endless, headers=LINES) as going:
        parts = going.aiter_raw()
        await anext(parts)
        while (again := await edge.client.post(path, content=endless, headers=LINES)).status_code == 409:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.02)
        assert (again.status_code, again.json()["finished_at"]) == (200, None)


async def test_while_it_is_uploaded_it_is_in_flight(edge: Any) -> None:
    """The repeat is refused at once, and what was cut off is kept for the next one."""
    _, writer = await edge.connect()
    head = b"POST /api/batch/execute?task=echo HTTP/1.1\r\nhost: localhost\r\nidempotency-key: a\r\n"
    writer.write(head + b"content-type: application/x-ndjson\r\ncontent-length: 500\r\n\r\n" + b'{"input": 1}\n' * 3)
    await writer.drain()
    while not await batches(edge.client):  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0.02)
    assert (await edge.client.post(BATCH, content=ITEMS, headers=LINES)).status_code == 409
    writer.close()
    while (again := await edge.client.post(BATCH, content=ITEMS, headers=LINES)).status_code == 409:  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0.02)
    assert (again.status_code, again.json()["truncated"], again.json()["items"]) == (202, True, 3)


async def test_a_refused_upload_leaves_the_key_free(edge: Any) -> None:
    """Nothing of it runs, so that it may be sent again."""
    assert (await edge.client.post("/api/batch/execute?task=no", content=ITEMS, headers=LINES)).status_code == 404
    first = await edge.client.post(BATCH, content=b"", headers=LINES)
    assert first.status_code == 422
    assert (await edge.client.post(BATCH, content=b"", headers=LINES)).content == first.content


async def test_a_deleted_batch_is_gone(edge: Any) -> None:
    """Its key says so instead of running it again."""
    first = await edge.client.post(BATCH, content=ITEMS, headers=LINES)
    await ended(edge.client, first.json()["id"])
    assert (await edge.client.delete(first.headers["location"])).status_code == 204
    again = await edge.client.post(BATCH, content=ITEMS, headers=LINES)
    assert (again.status_code, again.json()["code"]) == (404, "unknown-batch")


async def test_a_killed_host_leaves_its_batch_to_the_key(spawn: Any) -> None:
    """The repeat at the next host finds the batch that the first one began, not another one."""
    process, url = await spawn()
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:

        async def slow() -> AsyncGenerator[bytes]:
            yield b'{"input": 1}\n' * 50
            while True:
                await asyncio.sleep(0.05)
                yield b"\n"

        lost = asyncio.create_task(client.post(BATCH, content=slow(), headers=LINES))
        while not await batches(client):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        await asyncio.wait({lost})
        assert isinstance(lost.exception(), httpx2.TransportError)
    _, url = await spawn()
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        again = await client.post(BATCH, content=ITEMS, headers=LINES)
        (only,) = await batches(client)
        assert (again.status_code, again.json()["id"]) == (202, only["id"])
        assert msgspec.json.decode(again.content)["truncated"] is True
