"""Streams over HTTP: items go in while results come out, and everybody can follow."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2
import pytest

from hotplane.api import following as following_module
from hotplane.errors import StorageUnavailable
from tests.integration.api.conftest import FOREVER
from tests.integration.api.stream_clients import following, lines, streaming

HEAD = (
    b"POST /api/stream/execute?task=echo HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n"
    b"content-length: 14\r\nexpect: 100-continue\r\n\r\n"
)
NEWS = ("state", "truncated", "items", "done", "problem")
"""What progress tells: an event differs from the one before in one of these."""


def numbers(count: int, first: int = 0) -> bytes:
    """Return lines of items whose inputs are numbers."""
    return lines({"input": number} for number in range(first, first + count))


async def ended(edge: Any, stream_id: str) -> Any:
    """Wait for the end of a stream."""
    return await edge.host.batches.wait(stream_id, 60)


async def test_results_come_while_items_go(edge: Any) -> None:
    """Before the first item is sent the stream has its id; each item's result comes before the next item goes."""
    async with streaming(edge) as client:
        head = await client.begin()
        assert head.startswith(b"HTTP/1.1 200 ")
        first = await client.event()
        assert (first.name, first.id) == ("stream", None)
        assert b"location: /api/stream/%b\r\n" % first.data["id"].encode() in head
        results: list[Any] = []
        for number in range(3):
            await client.send(numbers(1, number))
            results.append(result := await client.event())
            assert (result.name, result.data["output"]) == ("result", number)
            assert result.id == str(result.data["sequence"])
        client.end()
        last = await client.event()
        assert (last.name, last.id, last.data["state"]) == ("end", f"end-{results[-1].id}", "completed")
        assert await client.rest() == []
        assert await client.reader.read() == b"\r\n"  # the end of the chunks, and of the connection


async def test_a_line_may_be_cut_anywhere(edge: Any) -> None:
    """Also between two parts of the body; what is no item has its result."""
    async with streaming(edge) as client:
        for part in (b'{"inp', b'ut": 1}', b"\n\r", b"\noh\r\n{", b'"input": 2}'):
            await client.send(part)
            await asyncio.sleep(0.02)
        client.end()
        results = [event.data for event in await client.rest() if event.name == "result"]
    assert {(each["position"], each["status"], each["output"]) for each in results} == {
        (1, "success", 1),
        (3, "rejected", None),
        (4, "success", 2),
    }


async def test_who_waits_for_100_continue_gets_it(edge: Any) -> None:
    """Before the answer begins."""
    reader, writer = await edge.connect()
    writer.write(HEAD)
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b'{"input": "1"}')
    assert b'"output":"1"' in await asyncio.wait_for(reader.read(), 60)
    writer.close()


async def test_progress_tells_and_has_no_id(edge: Any, tmp_path: Path) -> None:
    """Only what is durable has an id: a client goes on behind the last result it got. One a second is enough."""
    gate = tmp_path / "gate"
    progress: list[Any] = []
    began = monotonic()
    async with streaming(edge, "task=held") as client, asyncio.timeout(60):
        for place in (*[str(tmp_path)] * 5, str(gate)):
            await client.send(lines([{"input": place}]))
        while not progress or progress[-1].data["done"] < 5:
            event = await anext(client.events)
            progress += [event] if event.name == "progress" else []
        await asyncio.sleep(1.5)  # there is no news to tell
        gate.touch()
        client.end()
        progress += [event async for event in client.events if event.name == "progress"]
    assert len(progress) <= 1 + (monotonic() - began)
    assert {event.id for event in progress} == {None}
    told = [[event.data.get(name) for name in NEWS] for event in progress]
    assert all(before != after for before, after in pairwise(told))
    done = [event.data["done"] for event in progress]
    assert done == sorted(done)


async def test_an_upload_does_not_wait_for_its_reader(edge: Any) -> None:
    """Nobody reads megabytes of results; all the items are taken and run, and somebody else reads them."""
    async with streaming(edge, "task=echo&detach=true") as client:
        reader: Any = client.reader
        reader._limit = 1  # the stream's reader reads nothing ahead
        for _ in range(40):
            await client.send(lines({"input": "x" * 20_000} for _ in range(10)))
        client.end()
        [stream] = (await edge.client.get("/api/batch")).json()["items"]
        assert (await ended(edge, stream["id"])).counts.succeeded == 400
        async with following(edge.client, f"/api/stream/{stream['id']}/events") as events:
            assert len([event async for event in events if event.name == "result"]) == 400


async def test_a_slow_reader_slows_only_itself(edge: Any) -> None:
    """One reads nothing while another gets everything."""
    made = await edge.client.post(
        "/api/batch/execute?task=echo", json=[{"input": "x" * 20_000}] * 300, headers={"prefer": "respond-async"}
    )
    path = f"{made.headers['location']}/events"
    reader, writer = await edge.connect()
    reader._limit = 1
    writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    async with following(edge.client, path) as events:
        assert len([event async for event in events if event.name == "result"]) == 300
    reader._limit = 2**26
    reader._maybe_resume_transport()
    text = await asyncio.wait_for(reader.readuntil(b"event: end"), 60)
    assert text.count(b"event: result") == 300
    writer.close()


@pytest.mark.parametrize("detach", [False, True])
async def test_a_reader_that_leaves_cancels_what_is_left_unless_detached(edge: Any, detach: bool) -> None:
    """The upload was whole: what it left runs only when it was asked to."""
    async with streaming(edge, f"task=patient&max_concurrency=1&detach={str(detach).lower()}") as client:
        await client.send(lines({"input": 0.02 if detach or not number else FOREVER} for number in range(40)))
        client.end()
        stream_id = (await client.event()).data["id"]
        await client.event()
    status = await ended(edge, stream_id)
    assert (status.state, status.truncated, status.done) == ("completed" if detach else "cancelled", False, 40)
    assert (status.counts.cancelled > 0) is not detach


@pytest.mark.parametrize("detach", [False, True])
async def test_a_client_that_leaves_in_mid_upload_truncates(edge: Any, detach: bool) -> None:
    """What arrived whole runs if it is to; half a line is nothing."""
    async with streaming(edge, f"task=echo&detach={str(detach).lower()}") as client:
        await client.send(numbers(3) + b'{"input":')
        stream_id = (await client.event()).data["id"]
        for _ in range(3):
            await client.event()
    status = await ended(edge, stream_id)
    assert (status.truncated, status.items, status.counts.succeeded) == (True, 3, 3)


async def test_a_stream_is_cancelled_from_elsewhere(edge: Any) -> None:
    """Its answer ends, though items were still to come."""
    async with streaming(edge, "task=patient&max_concurrency=1") as client:
        await client.send(lines([{"input": FOREVER}] * 3))
        place = f"/api/stream/{(await client.event()).data['id']}"
        assert (await edge.client.get(place)).json()["state"] == "receiving"
        assert (await edge.client.post(f"{place}/cancel")).json()["state"] == "cancelling"
        *results, end = await client.rest()
        assert [event.data["status"] for event in results] == ["cancelled"] * 3
        assert (end.name, end.data["state"]) == ("end", "cancelled")


async def test_what_is_wrong_with_the_upload_is_an_event(managing: Any) -> None:
    """The answer has begun: the problem document comes before the end; nothing more runs."""
    async with managing(batches={"max_items": 2}) as edge:
        async with streaming(edge) as client:
            await client.send(numbers(2))
            await client.send(numbers(2, 2))
            client.end()
            *_, problem, end = await client.rest()
        assert (problem.name, problem.data["code"], problem.data["status"]) == ("problem", "batch-too-large", 422)
        assert (problem.id, end.name, end.data["state"]) == (None, "end", "cancelled")
        async with streaming(edge) as client:
            await client.send(b"\n")
            client.end()
            assert [event.name for event in await client.rest()] == ["stream", "problem"]
        answer = await edge.client.post(
            "/api/stream/execute?task=echo", content=b"", headers={"content-type": "application/x-ndjson"}
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "empty-batch")


async def test_a_batch_is_no_stream(edge: Any) -> None:
    """A stream is found among the batches, too; a batch is not found among the streams."""
    made = (await edge.client.post("/api/batch/execute?task=echo", json=[{"input": 1}])).json()["batch"]
    assert (await edge.client.get(f"/api/stream/{made['id']}")).json()["code"] == "unknown-batch"
    async with streaming(edge) as client:
        await client.send(numbers(1))
        client.end()
        stream_id = (await client.event()).data["id"]
        await client.rest()
    assert (await edge.client.get(f"/api/batch/{stream_id}")).json()["kind"] == "stream"


async def test_only_so_many_follow(managing: Any) -> None:
    """One more is told to come later, and a stream that nobody could read is not begun."""
    async with managing(server={"max_event_streams": 1}) as edge, streaming(edge) as client:
        await client.event()
        headers = {"content-type": "application/x-ndjson"}
        answer = await edge.client.post("/api/stream/execute?task=echo", content=numbers(1), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert len((await edge.client.get("/api/batch")).json()["items"]) == 1


# --- results as lines --------------------------------------------------------------------------------------------


async def test_results_are_read_by_cursor(edge: Any) -> None:
    """Page by page they are those of one answer, each once."""
    made = await edge.client.post("/api/batch/execute?task=echo", json=[{"input": n} for n in range(250)])
    await ended(edge, made.json()["id"])
    place = f"{made.headers['location']}/results"
    answer = await edge.client.get(place)
    assert answer.headers["content-type"] == "application/x-ndjson"
    whole = [json.loads(line) for line in answer.text.splitlines()]
    assert sorted(each["output"] for each in whole) == list(range(250))
    paged: list[Any] = []
    while page := (
        await edge.client.get(place, params={"after": paged[-1]["sequence"] if paged else 0, "limit": 99})
    ).text:
        paged += [json.loads(line) for line in page.splitlines()]
    assert paged == whole


async def test_results_are_followed_to_the_end(edge: Any, tmp_path: Path) -> None:
    """From where one is, while the batch runs."""
    gate = tmp_path / "gate"
    made = await edge.client.post(
        "/api/batch/execute?task=held&max_concurrency=1",
        json=[{"input": str(tmp_path)}] * 10 + [{"input": str(gate)}] * 10,
        headers={"prefer": "respond-async"},
    )
    place = f"{made.headers['location']}/results"
    assert len((await edge.client.get(place)).text.splitlines()) < 20
    first = json.loads((await edge.client.get(f"{place}?follow=true&limit=1")).text)
    following = asyncio.create_task(edge.client.get(f"{place}?follow=true&after={first['sequence']}"))
    await asyncio.sleep(0.05)
    gate.touch()
    rest = await following
    assert [json.loads(line)["position"] for line in rest.text.split()] == list(range(2, 21))


@pytest.mark.parametrize("kind", ["results?follow=true", "events"])
async def test_the_last_results_wait_for_no_more(edge: Any, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """However long a reader waits for results to come in groups: once there will be no more, it looks at once."""
    monkeypatch.setattr(following_module, "_PACES", (600.0, 600.0))
    monkeypatch.setattr(following_module, "_PACE_SECONDS", 600.0)
    made = await edge.client.post(
        "/api/batch/execute?task=patient&max_concurrency=1",
        json=[{"input": 0.02}] * 10,
        headers={"prefer": "respond-async"},
    )
    followed = await edge.client.get(f"{made.headers['location']}/{kind}", timeout=60)
    assert followed.text.count('"sequence":') == 10


async def test_a_quiet_answer_has_a_heartbeat(edge: Any) -> None:
    """Blank lines and comments keep those in between from hanging up."""
    edge.server._ongoing.streams.heartbeat_seconds = 0.05
    made = await edge.client.post(
        "/api/batch/execute?task=patient", json=[{"input": FOREVER}], headers={"prefer": "wait=0"}
    )
    for path, beat in (("results?follow=true", "\n"), ("events", ": nothing new\n\n")):
        text = ""
        async with edge.client.stream("GET", f"{made.headers['location']}/{path}") as followed, asyncio.timeout(60):
            async for part in followed.aiter_text():
                text += part
                if text.count(beat) > 1 and text.endswith(beat * 2):
                    break
        assert '"sequence":' not in text


# --- stopping ----------------------------------------------------------------------------------------------------


async def cut_off(events: Any) -> bool:
    """Read events, and tell whether they broke off."""
    try:
        async with asyncio.timeout(60):
            async for _ in events:
                continue
    except (httpx2.TransportError, asyncio.IncompleteReadError, ConnectionError):
        return True
    return False


async def test_a_server_that_stops_ends_its_answers(serving: Any) -> None:
    """At once, whatever its grace; what has arrived of a stream goes on at the next start."""
    path = "/api/batch/execute?task=patient&max_concurrency=1"
    async with serving() as edge, streaming(edge, "task=patient&max_concurrency=2") as client:
        made = await edge.client.post(path, json=[{"input": 0.1}] * 200, headers={"prefer": "respond-async"})
        await client.send(lines([{"input": 0.1}] * 20))
        stream_id = (await client.event()).data["id"]
        await client.event()
        async with following(edge.client, f"{made.headers['location']}/events") as events:
            await anext(events)
            began = monotonic()
            await edge.server.stop(600)
            assert monotonic() - began < 60
            assert await cut_off(events)
        assert await cut_off(client.events)
    async with serving() as edge:
        stream = await ended(edge, stream_id)
        assert (stream.state, stream.truncated, stream.counts.succeeded) == ("completed", True, 20)


async def test_what_breaks_off_is_not_taken_for_whole(
    edge: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The store fails while somebody follows: the answer has no end that a client could mistake."""
    gate = tmp_path / "gate"
    made = await edge.client.post(
        "/api/batch/execute?task=held", json=[{"input": str(gate)}], headers={"prefer": "wait=0"}
    )
    async with edge.client.stream("GET", f"{made.headers['location']}/results?follow=true", timeout=60) as response:
        assert response.status_code == 200
        monkeypatch.setattr(edge.host.batches, "results", unavailable)
        gate.touch()
        assert await cut_off(response.aiter_lines())


async def unavailable(*_: object, **__: object) -> Any:
    """Fail as a store does that is away."""
    raise StorageUnavailable("sqlite", "it is away")
