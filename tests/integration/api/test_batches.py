"""Batches over HTTP: how they come in, how they are answered, steered and refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import jsonschema_rs
import pytest

from tests.integration.api.conftest import FOREVER

NDJSON = {"content-type": "application/x-ndjson"}
ASYNC = {"prefer": "respond-async"}


def lines(items: Iterable[object]) -> bytes:
    """Return items as lines."""
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def numbers(count: int) -> list[dict[str, Any]]:
    """Return items whose inputs are numbers."""
    return [{"input": number} for number in range(count)]


async def ended(edge: Any, batch_id: str) -> dict[str, Any]:
    """Wait for the end of a batch."""
    await edge.host.batches.wait(batch_id, 60)
    return (await edge.client.get(f"/api/batch/{batch_id}")).json()


async def when_done(edge: Any, count: int) -> dict[str, Any]:
    """Wait until the newest batch has some results."""
    async with asyncio.timeout(60):
        while True:
            seen = (await edge.client.get("/api/batch")).json()["items"]
            if seen and seen[0]["done"] >= count:
                return seen[0]
            await asyncio.sleep(0.01)


async def upload(edge: Any, content: Any, task: str = "echo", **options: Any) -> Any:
    """Send lines."""
    query = {"task": task, **options}
    return await edge.client.post("/api/batch/execute", params=query, content=content, headers=NDJSON)


async def test_an_item_is_told_the_deadline_that_it_had(edge: Any) -> None:
    """Its own, or the batch's; not its task's, which it never reached."""
    items = [{"input": 10, "timeout_ms": 20}, {"input": 10}]
    body = {"task_id": "patient", "item_timeout_ms": 30, "items": items}
    results = (await edge.client.post("/api/batch/execute", json=body)).json()["results"]
    assert [each["error"]["message"] for each in results] == [
        "The deadline of 20 ms passed.",
        "The deadline of 30 ms passed.",
    ]


async def test_a_small_batch_is_answered_with_its_results(edge: Any) -> None:
    """In the order of its items, however they ended."""
    items = [{"input": 0.05, "id": "slow", "correlation_id": "c"}, {"input": 0, "id": "quick"}, {"input": "x"}]
    answer = await edge.client.post("/api/batch/execute", json={"task_id": "patient", "items": items})
    assert answer.status_code == 200
    batch, results = answer.json()["batch"], answer.json()["results"]
    assert [(each["item_id"], each["status"], each["position"]) for each in results] == [
        ("slow", "success", 1),
        ("quick", "success", 2),
        ("3", "error", 3),
    ]
    assert results[0]["correlation_id"] == "c"
    assert (batch["state"], batch["items"], batch["done"], batch["counts"]["failed"]) == ("completed", 3, 3, 1)


async def test_an_array_has_its_options_in_the_query(edge: Any) -> None:
    """Task, concurrency and priority."""
    query = {"task": "echo", "max_concurrency": 2, "priority": -3, "stop_on_first_error": True, "item_timeout_ms": 500}
    answer = await edge.client.post("/api/batch/execute", params=query, json=numbers(3))
    batch = answer.json()["batch"]
    assert {name: batch[name] for name in query if name != "task"} | {"task": batch["task_id"]} == query


async def test_a_large_batch_is_found_elsewhere(edge: Any) -> None:
    """202 at once, and the address of the batch."""
    answer = await edge.client.post("/api/batch/execute?task=echo", json=numbers(101))
    assert (answer.status_code, answer.headers["location"]) == (202, f"/api/batch/{answer.json()['id']}")
    assert (await ended(edge, answer.json()["id"]))["counts"]["succeeded"] == 101


async def test_who_prefers_not_to_wait_does_not(edge: Any) -> None:
    """`respond-async` is applied to a small batch, too; `wait` is kept to."""
    endless = [{"input": FOREVER}]
    answer = await edge.client.post("/api/batch/execute?task=patient", json=endless, headers=ASYNC)
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async")
    answer = await edge.client.post("/api/batch/execute?task=patient", json=endless, headers={"prefer": "wait=1"})
    assert (answer.status_code, answer.json()["state"]) == (202, "running")
    answer = await edge.client.post("/api/batch/execute?task=echo", json=[{"input": 5}], headers={"prefer": "wait=60"})
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=60")


async def test_lines_run_while_more_arrive(edge: Any) -> None:
    """The first item has its result before the second is sent."""
    done = asyncio.Event()

    async def content() -> AsyncIterator[bytes]:
        yield b'{"input": 1}\n\n{"inp'
        await asyncio.wait_for(done.wait(), 60)
        yield b'ut": 2}'

    sending = asyncio.create_task(upload(edge, content()))
    seen = await when_done(edge, 1)
    assert (seen["state"], seen["items"]) == ("receiving", 1)
    done.set()
    results = (await sending).json()["results"]
    assert [(each["position"], each["output"]) for each in results] == [(1, 1), (3, 2)]


async def test_a_line_that_is_no_item_fails_alone(edge: Any) -> None:
    """In the middle of 10 000: with the number of its line; and so does the second item with an id."""
    items = lines(numbers(10_000)).splitlines(keepends=True)
    items[5_000] = b'{"input": oh}\n'
    items[7_000:7_002] = lines([{"input": 1, "id": "twice"}, {"input": 2, "id": "twice"}]).splitlines(keepends=True)
    answer = await upload(edge, b"".join(items))
    batch = await ended(edge, answer.json()["id"])
    assert (batch["items"], batch["counts"]["succeeded"], batch["counts"]["rejected"]) == (10_000, 9_998, 2)
    results = (await edge.client.get(f"/api/batch/{batch['id']}/results")).text.splitlines()
    rejected = {each["position"]: each for each in map(json.loads, results) if each["status"] == "rejected"}
    assert rejected[5_001]["error"]["type"] == "malformed-item"
    assert "Line 5001" in rejected[5_001]["error"]["message"]
    assert (rejected[7_002]["error"]["type"], rejected[7_002]["item_id"]) == ("duplicate-item-id", "twice")


async def test_what_arrived_whole_runs_when_the_client_leaves(edge: Any) -> None:
    """The batch is truncated; half a line is nothing."""
    reader, writer = await edge.connect()
    writer.write(
        b"POST /api/batch/execute?task=echo HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n"
        b"content-length: 9999\r\n\r\n" + lines(numbers(3)) + b'{"input": 4'
    )
    seen = await when_done(edge, 3)
    writer.close()
    batch = await ended(edge, seen["id"])
    assert (batch["state"], batch["truncated"], batch["items"], batch["done"]) == ("completed", True, 3, 3)
    assert reader is not None


async def test_a_batch_is_paused_resumed_and_cancelled(edge: Any) -> None:
    """Each step answers with the batch; one that has ended cannot be paused, and is left alone by a cancel."""
    made = await edge.client.post(
        "/api/batch/execute?task=patient&max_concurrency=1", json=[{"input": FOREVER}] * 50, headers=ASYNC
    )
    place = made.headers["location"]
    assert (await edge.client.post(f"{place}/pause")).json()["state"] == "paused"
    assert (await edge.client.post(f"{place}/resume")).json()["state"] == "running"
    assert (await edge.client.delete(place)).json()["code"] == "batch-not-ended"
    assert (await edge.client.post(f"{place}/cancel")).json()["state"] == "cancelling"
    batch = await ended(edge, made.json()["id"])
    assert (batch["state"], batch["done"]) == ("cancelled", 50)
    for step in ("pause", "resume"):
        answer = await edge.client.post(f"{place}/{step}")
        assert (answer.status_code, answer.json()["code"]) == (409, "batch-ended")
    assert (await edge.client.post(f"{place}/cancel")).json()["state"] == "cancelled"


async def test_batches_are_listed_newest_first(edge: Any) -> None:
    """By page, task and state."""
    for task in ("echo", "echo", "boom"):
        await edge.client.post(f"/api/batch/execute?task={task}", json=numbers(1))
    first = (await edge.client.get("/api/batch?limit=2")).json()
    second = (await edge.client.get("/api/batch", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [each["task_id"] for each in first["items"] + second["items"]] == ["boom", "echo", "echo"]
    assert second["next_cursor"] is None
    assert len((await edge.client.get("/api/batch?task=echo&state=completed")).json()["items"]) == 2


async def test_an_ended_batch_is_deleted(edge: Any) -> None:
    """It and its results are gone, also for a cursor into them."""
    made = (await edge.client.post("/api/batch/execute?task=echo", json=numbers(2))).json()
    place = f"/api/batch/{made['batch']['id']}"
    assert (await edge.client.delete(place)).status_code == 204
    for path in (place, f"{place}/results?after={made['results'][0]['sequence']}", f"{place}/events"):
        answer = await edge.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-batch")
    assert (await edge.client.delete(place)).status_code == 404


async def test_a_batch_stops_taking_items_when_it_has_stopped(edge: Any) -> None:
    """The first failure ends it; a client that sends on all the same gets its answer, and the connection ends."""

    async def content() -> AsyncIterator[bytes]:
        yield b'{"input": 1}\n' * 50
        while not (seen := (await edge.host.batches.list()).items) or seen[0].state != "stopped":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for _ in range(300):
            yield b'{"input": 1}\n' * 50
            await asyncio.sleep(0)

    answer = await asyncio.wait_for(upload(edge, content(), "boom", stop_on_first_error="true"), 60)
    assert answer.status_code in (200, 202)
    assert answer.headers["connection"] == "close"
    batch = await ended(edge, (answer.json().get("batch") or answer.json())["id"])
    assert (batch["state"], batch["items"]) == ("stopped", 50)


async def test_outputs_are_judged_without_running(managing: Any) -> None:
    """Their verdicts in order, and how many of each; nothing is recorded."""
    task = {"program": "edge_programs:boom", "output_schema": {"type": "integer"}}
    async with managing(tasks={"typed": task}) as edge:
        items = [{"output": 1, "id": "right"}, {"output": "x"}]
        answer = await edge.client.post("/api/batch/validate", json={"task_id": "typed", "items": items})
        assert answer.status_code == 200
        assert [(each["id"], each["valid"]) for each in answer.json()["results"]] == [("right", True), ("2", False)]
        assert answer.json()["counts"] == {"valid": 1, "invalid": 1, "not_judged": 0}
        assert (await edge.client.get("/api/executions")).json()["items"] == []


async def test_what_did_not_run_has_no_latency_to_judge(managing: Any) -> None:
    """No validator takes the latency of an output from elsewhere for a good one, so that one objection is enough."""
    validators = [
        {"name": "latency-budget"},
        {"name": "expression-validator", "configuration": {"rules": [{"expression": "latency_ms < 100.0"}]}},
        {"name": "json-schema-validator", "configuration": {"max_latency_ms": 100}},
    ]
    task = {"program": "edge_programs:boom", "output_schema": {"type": "integer"}, "validation_policy": "any"}
    async with managing(tasks={"typed": task}, plugins={"validators": validators}) as edge:
        body = {"task_id": "typed", "items": [{"output": "x"}]}
        found = (await edge.client.post("/api/batch/validate", json=body)).json()["results"][0]
        assert found["valid"] is False
        assert {each["validator"]: (each["valid"], each["applies"]) for each in found["validations"]} == {
            "json-schema-validator": (False, True),
            "expression-validator": (None, False),
            "latency-budget": (None, False),
        }


@pytest.mark.parametrize("path", ["/api/batch/x", "/api/batch/x/results", "/api/batch/x/events", "/api/stream/x"])
async def test_an_unknown_batch_is_a_problem(edge: Any, path: str) -> None:
    """404, whatever is asked of it."""
    answer = await edge.client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-batch")


async def test_answers_fit_the_document(edge: Any) -> None:
    """What is really answered is what was described."""
    document = (await edge.client.get("/openapi.json")).json()
    made = await edge.client.post("/api/batch/execute?task=strict", json=[{"input": {"n": 1}}, {"input": 1}])
    batch_id = made.json()["batch"]["id"]
    listed = await edge.client.get("/api/batch")
    shown = await edge.client.get(f"/api/batch/{batch_id}")
    later = await edge.client.post("/api/batch/execute?task=echo", json=[{"input": 1}], headers=ASYNC)
    body = {"task_id": "strict", "items": [{"output": 1}]}
    judged = await edge.client.post("/api/batch/validate", json=body)
    refused = await edge.client.post("/api/batch/execute?task=echo", json=[{}])
    for path, method, answer in (
        ("/api/batch/execute", "post", made),
        ("/api/batch/execute", "post", later),
        ("/api/batch/execute", "post", refused),
        ("/api/batch/validate", "post", judged),
        ("/api/batch", "get", listed),
        ("/api/batch/{batch_id}", "get", shown),
    ):
        described = document["paths"][path][method]["responses"][str(answer.status_code)]
        if "$ref" in described:
            described = document["components"]["responses"][described["$ref"].rpartition("/")[2]]
        [content] = described["content"].values()
        jsonschema_rs.validate({**content["schema"], "components": document["components"]}, answer.json())
    line = (await edge.client.get(f"/api/batch/{batch_id}/results")).text.splitlines()[0]
    schema = document["components"]["schemas"]["ItemResult"]
    jsonschema_rs.validate({**schema, "components": document["components"]}, json.loads(line))
