"""Batches that are refused: what is wrong, and where."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hotplane.api.protocol import ConnectionLimits

NDJSON = {"content-type": "application/x-ndjson"}
ONE = [{"input": 1}]


async def none_is_left(edge: Any) -> bool:
    """Tell whether no batch is there that goes on."""
    left = (await edge.client.get("/api/batch")).json()["items"]
    return all(each["state"] in ("cancelling", "cancelled") for each in left)


async def reading(edge: Any) -> None:
    """Wait until the server is at a request."""
    async with asyncio.timeout(60):
        while not any(each.busy for each in edge.server._open()):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ({"task_id": "echo", "items": []}, 422, "empty-batch", None),
        ([], 422, "empty-batch", None),
        ({"task_id": "echo", "items": ONE, "max_concurrency": 0}, 422, "body-does-not-fit", "/max_concurrency"),
        ({"task_id": "echo", "items": ONE, "max_concurrency": 10_000}, 422, "body-does-not-fit", "/max_concurrency"),
        ({"task_id": "echo", "items": ONE, "priority": 11}, 422, "body-does-not-fit", "/priority"),
        ({"task_id": "slow", "items": ONE, "item_timeout_ms": 51}, 422, "invalid", "/item_timeout_ms"),
        ({"task_id": "echo", "items": [{"input": 1}, {}]}, 422, "body-does-not-fit", "/items/1/input"),
        ({"task_id": "echo", "items": [{"input": 1, "id": "a"}] * 2}, 422, "body-does-not-fit", "/items/1/id"),
        ({"task_id": "echo", "items": {}}, 422, "body-does-not-fit", "/items"),
        ({"items": ONE}, 422, "body-does-not-fit", "/task_id"),
        ({"task_id": "echo", "items": ONE, "concurrency": 1}, 422, "body-does-not-fit", "/concurrency"),
        ({"task_id": "nobody", "items": ONE}, 404, "unknown-task", None),
        (5, 422, "body-does-not-fit", ""),
    ],
)
async def test_a_document_is_refused_as_a_whole(edge: Any, body: Any, status: int, code: str, pointer: str) -> None:
    """With a pointer to what is wrong, before anything runs."""
    answer = await edge.client.post("/api/batch/execute", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert [each.get("pointer") for each in answer.json().get("errors", ())] == ([] if pointer is None else [pointer])
    assert (await edge.client.get("/api/executions")).json()["items"] == []
    assert await none_is_left(edge)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("task=echo&max_concurrency=0", "max_concurrency"),
        ("task=echo&max_concurrency=10000", "max_concurrency"),
        ("task=echo&priority=eleven", "priority"),
        ("task=slow&item_timeout_ms=51", "item_timeout_ms"),
        ("task=echo&concurrency=1", "concurrency"),
        ("task=echo&task=boom", "task"),
        ("task=echo&priority=1&priority=2", "priority"),
        ("", "task"),
    ],
)
@pytest.mark.parametrize("path", ["/api/batch/execute", "/api/stream/execute"])
async def test_a_query_is_refused_by_its_parameter(edge: Any, path: str, query: str, parameter: str) -> None:
    """Of lines, whose options stand there."""
    answer = await edge.client.post(f"{path}?{query}", content=b'{"input": 1}', headers=NDJSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "query-does-not-fit")
    assert [each["parameter"] for each in answer.json()["errors"]] == [parameter]


async def test_a_document_that_is_neither_is_told_so_beside_a_query(edge: Any) -> None:
    """It has no options that the query could contradict."""
    answer = await edge.client.post("/api/batch/execute?task=echo", json=5)
    assert (answer.status_code, answer.json()["code"]) == (422, "body-does-not-fit")


async def test_a_document_with_options_has_no_query(edge: Any) -> None:
    """Nobody has to know which of the two would count."""
    answer = await edge.client.post("/api/batch/execute?priority=1", json={"task_id": "echo", "items": ONE})
    assert (answer.status_code, answer.json()["code"]) == (422, "query-does-not-fit")


@pytest.mark.parametrize("content", [b"", b"\n \r\n\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("path", ["/api/batch/execute?task=echo"])
async def test_no_lines_are_an_empty_batch(edge: Any, path: str, content: bytes) -> None:
    """Blank ones, too; nothing of it is left."""
    answer = await edge.client.post(path, content=content, headers=NDJSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "empty-batch")
    assert (await edge.client.get("/api/batch")).json()["items"] == []


@pytest.mark.parametrize(
    ("path", "media_type", "status"),
    [
        ("/api/batch/execute", "text/plain", 415),
        ("/api/stream/execute", "application/json", 415),
        ("/api/batch/validate", "application/x-ndjson", 415),
        ("/api/tasks/echo/execute", "application/x-ndjson", 415),
    ],
)
async def test_each_path_takes_its_own_types(edge: Any, path: str, media_type: str, status: int) -> None:
    """And says which."""
    answer = await edge.client.post(path, content=b"{}", headers={"content-type": media_type})
    assert answer.status_code == status
    assert media_type not in answer.headers["accept"].split(", ")


async def test_the_refusal_lists_every_type_that_is_accepted(edge: Any) -> None:
    """In its words and in the header Accept."""
    answer = await edge.client.post("/api/stream/execute?task=echo", content=b"1", headers={"content-type": "text/csv"})
    accepted = ("application/x-ndjson", "application/ndjson", "application/jsonl")
    assert answer.headers["accept"] == ", ".join(accepted)
    assert " or ".join(accepted) in answer.json()["detail"]


@pytest.mark.parametrize("media_type", ["application/ndjson", "application/jsonl; charset=utf-8"])
@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "once"}])
async def test_lines_have_other_names_too(edge: Any, media_type: str, headers: dict[str, str]) -> None:
    """None of them is registered, and tools send each; with a key they are read as they arrive, too."""
    sent = {"content": b'{"input":1}\n{"input":2}\n', "headers": {"content-type": media_type, **headers}}
    answer = await edge.client.post("/api/batch/execute?task=echo", **sent)
    assert [each["output"] for each in answer.json()["results"]] == [1, 2]
    if not headers:
        streamed = await edge.client.post("/api/stream/execute?task=echo", **sent)
        assert streamed.status_code == 200
        assert streamed.text.count("event: result") == 2


async def test_more_items_than_there_may_be_are_refused(managing: Any) -> None:
    """In a document before anything runs; of lines the batch does not go on."""
    async with managing(batches={"max_items": 3}) as edge:
        answer = await edge.client.post("/api/batch/execute?task=echo", json=ONE * 4)
        assert (answer.status_code, answer.json()["code"]) == (422, "batch-too-large")
        assert (await edge.client.get("/api/batch")).json()["items"] == []
        answer = await edge.client.post("/api/batch/execute?task=echo", content=b'{"input":1}\n' * 4, headers=NDJSON)
        assert (answer.status_code, answer.json()["code"]) == (422, "batch-too-large")
        assert await none_is_left(edge)


async def test_more_bytes_than_there_may_be_are_refused(managing: Any) -> None:
    """Whether the client says so beforehand or not; the message names the setting."""

    async def content() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b'{"input": 1}\n' * 10

    limits = {"max_bytes": 5_000, "max_json_bytes": 200, "max_item_bytes": 100}
    async with managing(batches=limits) as edge:
        for body in (b'{"input": 1}\n' * 1000, content()):
            answer = await edge.client.post("/api/batch/execute?task=echo", content=body, headers=NDJSON)
            assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
            assert "`batches.max_bytes`" in answer.json()["detail"]
        answer = await edge.client.post("/api/batch/execute?task=echo", json=ONE * 100)
        assert (answer.status_code, "`batches.max_json_bytes`" in answer.json()["detail"]) == (413, True)
        answer = await edge.client.post("/api/batch/execute?task=echo", json=[{"input": "x" * 100}])
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/0")
        assert await none_is_left(edge)


async def test_only_so_many_large_documents_are_held(managing: Any) -> None:
    """One more is told to come later; small ones and lines are taken all the same."""
    gate = asyncio.Event()

    async def content() -> AsyncIterator[bytes]:
        yield b'[{"input": 1},'
        await gate.wait()
        yield b'{"input": 2}]'

    headers = {"content-type": "application/json"}
    async with managing(batches={"max_json_uploads": 1}) as edge:
        place = "/api/batch/execute?task=echo"
        first = asyncio.create_task(edge.client.post(place, content=content(), headers=headers))
        await reading(edge)
        answer = await edge.client.post(place, content=b"[]", headers={**headers, "transfer-encoding": "chunked"})
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert (await edge.client.post(place, json=ONE)).status_code == 200
        assert (await edge.client.post(place, content=b'{"input": 1}', headers=NDJSON)).status_code == 200
        gate.set()
        assert (await first).json()["batch"]["done"] == 2


async def test_a_body_may_be_larger_than_other_bodies(managing: Any) -> None:
    """The limit of the server is that of everything else."""
    async with managing(server={"max_body_bytes": 100}) as edge:
        assert (await edge.client.post("/api/batch/execute?task=echo", json=ONE * 50)).status_code == 200
        assert (await edge.client.post("/api/tasks/echo/execute", json={"input": "x" * 100})).status_code == 413


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "9" * 30, "999999", "", "٣"])
async def test_a_cursor_that_is_none_is_refused(edge: Any, after: str) -> None:
    """No number, of the future, of another batch."""
    made = (await edge.client.post("/api/batch/execute?task=echo", json=ONE)).json()
    other = (await edge.client.post("/api/batch/execute?task=echo", json=ONE)).json()
    place = f"/api/batch/{made['batch']['id']}"
    for cursor in (after, str(other["results"][0]["sequence"])):
        answer = await edge.client.get(f"{place}/results", params={"after": cursor})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")


@pytest.mark.parametrize(
    ("items", "code", "pointer"),
    [
        ([], "empty-batch", None),
        ([{}], "body-does-not-fit", "/items/0/output"),
        ([{"output": 1, "id": "a"}] * 2, "body-does-not-fit", "/items/1/id"),
        ([{"output": 1}, {"output": 1, "input": [2**70]}], "not-json", "/items/1/input/0"),
        ([{"output": 1}] * 1001, "batch-too-large", None),
    ],
)
async def test_outputs_that_cannot_be_judged_are_refused(edge: Any, items: Any, code: str, pointer: str) -> None:
    """With a pointer to them."""
    answer = await edge.client.post("/api/batch/validate", json={"task_id": "echo", "items": items})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert [each.get("pointer") for each in answer.json().get("errors", ())] == ([] if pointer is None else [pointer])


async def arrived(edge: Any, count: int) -> None:
    """Wait until so many items of the newest batch have come, and run."""
    async with asyncio.timeout(60):
        while not (found := (await edge.host.batches.list()).items) or found[0].done < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def silent(edge: Any, seconds: float) -> None:
    """Have the client of the one request that is answered have sent nothing for so long."""
    [connection] = [each for each in edge.server._open() if each.busy]
    connection._awaited_since -= seconds
    connection.expire(connection.loop.time())


async def test_an_upload_may_be_slow_and_not_silent(edge: Any) -> None:
    """It takes longer than any other request may; when nothing comes any more it is ended, and what came has run."""
    limits = ConnectionLimits()
    reader, writer = await edge.connect()
    writer.write(
        b"POST /api/batch/execute?task=echo HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n"
        b"content-length: 999\r\n\r\n"
    )
    for number in range(1, 5):
        writer.write(b'{"input": 1}\n')
        await arrived(edge, number)
        silent(edge, limits.request_seconds * 1.5)
    silent(edge, limits.upload_idle_seconds + 1)
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"upload-stalled"' in answer
    [batch] = (await edge.host.batches.list()).items
    batch = await edge.host.batches.wait(batch.id, 60)
    assert (batch.truncated, batch.done) == (True, 4)


async def test_an_answer_before_the_end_of_the_upload_is_read(edge: Any) -> None:
    """The client is told that the connection ends, can read why although it goes on sending, and then it does end."""
    reader, writer = await edge.connect()
    writer.write(
        b"POST /api/batch/execute?task=nobody HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n"
        b"content-length: 99999999\r\n\r\n" + b'{"input": 1}\n' * 100_000
    )
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.transport.abort()
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"connection: close" in answer
    assert answer.count(b"HTTP/1.1") == 1
