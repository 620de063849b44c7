"""Events over HTTP: published, listed, followed with resume, delivered anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import jsonschema_rs
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event

from hotplane.identity import new_id
from hotplane.records import Event, EventType, now
from hotplane.storage import StorageSettings, Store

STARTED = {"type": "canary.deployment.started", "source": "deployer", "payload": {"version": "1.4"}}


class Reader:
    """A client of the stream: the id and the data of each event."""

    def __init__(self, response: Any) -> None:
        self._lines = response.aiter_lines()
        self.place = ""
        """The last id that came, with an event or without one."""

    async def next(self) -> dict[str, Any]:
        """Return the next event."""
        async with asyncio.timeout(60):
            async for line in self._lines:
                if line.startswith("id: "):
                    self.place = line.removeprefix("id: ")
                elif line.startswith("data: "):
                    return json.loads(line.removeprefix("data: "))
        raise EOFError

    async def begun(self) -> None:
        """Wait for the place at which the stream begins."""
        async with asyncio.timeout(60):
            while not self.place:
                line = await anext(self._lines)
                if line.startswith("id: "):
                    self.place = line.removeprefix("id: ")


@asynccontextmanager
async def following(edge: Any, query: str = "", last: str | None = None) -> AsyncGenerator[Reader]:
    """Follow the events."""
    headers = {"accept": "text/event-stream", **({} if last is None else {"last-event-id": last})}
    async with edge.client.stream("GET", f"/api/events{query}", headers=headers, timeout=60) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Reader(response)


async def publish(edge: Any, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """Publish events, and return them as stored."""
    answer = await edge.client.post("/api/events", json=list(events))
    assert answer.status_code == 201, answer.text
    return answer.json()["items"]


# --- publishing ------------------------------------------------------------------------------------------


async def test_one_event_is_published_and_marked_as_from_outside(edge: Any) -> None:
    """It gets an id, a time, a place in the log, and a source that nobody takes for the host's."""
    answer = await edge.client.post("/api/events", json=STARTED)
    [event] = answer.json()["items"]
    assert (answer.status_code, event["source"], event["severity"]) == (201, "external/deployer", "info")
    stored = (await edge.client.get("/api/events?type=canary.*")).json()["items"]
    assert stored == [event]


async def test_several_events_have_places_in_their_order(edge: Any) -> None:
    """A list is stored in one commit, one behind the other."""
    made = await publish(edge, *({**STARTED, "id": f"e{number}"} for number in range(100)))
    places = [event["sequence"] for event in made]
    assert places == list(range(places[0], places[0] + 100))
    assert [event.id for event in await edge.host.store.list_events(after=places[0] - 1)] == [
        f"e{n}" for n in range(100)
    ]


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"type": "canary.deployment.startd"}, "/type", "did you mean 'canary.deployment.started'?"),
        ([STARTED, {"type": "x"}], "/1/type", "there are task.created"),
        ({**STARTED, "severity": "loud"}, "/severity", "loud"),
        ({**STARTED, "payload": [1]}, "/payload", "object"),
        ({**STARTED, "id": "a b"}, "/id", "cannot be an event's id"),
        ({**STARTED, "source": "/hotplane"}, "/source", "regex"),
        ({**STARTED, "source": "deployer\n"}, "/source", "line break"),
        ([STARTED, {**STARTED, "execution_id": "a\0"}], "/1/execution_id", "U+0000"),
        ({**STARTED, "time": "2026-01-01T00:00:00"}, "/time", "timezone"),
        ({**STARTED, "time": "0001-01-01T00:00:00+14:00"}, "/time", "years 1 to 9999"),
        ({**STARTED, "time": "9999-12-31T23:59:59-14:00"}, "/time", "years 1 to 9999"),
        ({**STARTED, "payload": {"a": "x" * 70_000}}, "/payload", "events.max_event_bytes"),
        ({**STARTED, "payloads": {}}, "/payloads", "not known"),
        ([], "", "length >= 1"),
        ([STARTED] * 101, "", "length <= 100"),
    ],
)
async def test_what_cannot_be_published_is_refused_whole(edge: Any, body: Any, pointer: str, words: str) -> None:
    """422 says where and why, and nothing is stored."""
    answer = await edge.client.post("/api/events", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["errors"][0].get("pointer", "") == pointer
    assert words in answer.json()["errors"][0]["detail"]
    assert (await edge.client.get("/api/events?type=canary.*")).json()["items"] == []


async def test_the_limit_and_the_prefix_can_be_set(managing: Any) -> None:
    """`events.max_event_bytes` and `events.source_prefix`."""
    async with managing(events={"max_event_bytes": 300, "source_prefix": "ci"}) as edge:
        [event] = await publish(edge, {"type": "task.created"})
        assert event["source"] == "ci"
        large = await edge.client.post("/api/events", json={"type": "task.created", "payload": {"a": "x" * 300}})
        assert large.status_code == 422


# --- listing ---------------------------------------------------------------------------------------------


async def test_the_newest_come_first_page_by_page(edge: Any) -> None:
    """A cursor leads to the older ones, until there are none."""
    made = await publish(edge, *([STARTED] * 5))
    seen: list[int] = []
    query = "/api/events?type=canary.*&limit=2"
    page = (await edge.client.get(query)).json()
    while True:
        seen += [event["sequence"] for event in page["items"]]
        if page["next_cursor"] is None:
            break
        page = (await edge.client.get(f"{query}&cursor={page['next_cursor']}")).json()
    assert seen == [event["sequence"] for event in reversed(made)]


async def test_behind_a_place_the_oldest_come_first(edge: Any) -> None:
    """`next_after` goes on, also over events that do not fit."""
    first, *_ = await publish(edge, STARTED, {"type": "task.created"}, {"type": "task.deleted"})
    page = (await edge.client.get(f"/api/events?after={first['sequence']}&type=task.created")).json()
    assert [event["type"] for event in page["items"]] == ["task.created"]
    assert page["next_after"] >= first["sequence"] + 2  # the host may have news of its own behind it


async def test_every_filter_has_to_hold(edge: Any) -> None:
    """Type, severity, task, execution and time."""
    await publish(
        edge,
        {**STARTED, "severity": "error", "task_id": "a", "execution_id": "x"},
        {**STARTED, "task_id": "a"},
        {"type": "task.created", "severity": "error", "task_id": "b"},
    )
    for query, count in (
        ("severity=error", 2),
        ("severity=error&task=a", 1),
        ("execution=x", 1),
        ("type=task.created&type=canary.*", 3),
        ("type=task.*&severity=info", 0),
        ("since=2020-01-01T00:00:00Z&type=canary.*", 2),
        ("until=2020-01-01T00:00:00Z", 0),
    ):
        assert len((await edge.client.get(f"/api/events?{query}")).json()["items"]) == count, query


async def test_other_forms_are_what_they_claim_to_be(edge: Any) -> None:
    """CloudEvents for its SDK, and the bodies of Standard Webhooks."""
    [event] = await publish(edge, STARTED)
    [cloud] = (await edge.client.get("/api/events?format=cloudevents&type=canary.*")).json()["items"]
    message = HTTPMessage({"content-type": "application/cloudevents+json"}, json.dumps(cloud).encode())
    assert from_http_event(message).get_id() == event["id"]
    [standard] = (await edge.client.get("/api/events?format=standard&type=canary.*")).json()["items"]
    assert (standard["type"], standard["data"]["payload"]) == (event["type"], event["payload"])


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("type=plugin.faild", "did you mean 'plugin.failed'?"),
        ("severity=loud", "severity"),
        ("since=yesterday", "since"),
        ("after=-1", "after"),
        ("after=1&cursor=AAAA", "opposite"),
        ("limit=0", "limit"),
        ("tasks=a", "did you mean 'task'?"),
        ("format=xml", "format"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(edge: Any, query: str, words: str) -> None:
    """422, with what is meant where that can be guessed."""
    answer = await edge.client.get(f"/api/events?{query}")
    assert answer.status_code == 422
    assert words in answer.text.replace('\\"', '"')


async def test_what_is_answered_is_what_was_described(edge: Any) -> None:
    """The list and the published event fit the API's own description."""
    document = (await edge.client.get("/openapi.json")).json()
    posted = await edge.client.post("/api/events", json=STARTED)
    for method, status, answer in (("post", "201", posted), ("get", "200", await edge.client.get("/api/events"))):
        schema = document["paths"]["/api/events"][method]["responses"][status]["content"]["application/json"]["schema"]
        jsonschema_rs.validate({**schema, "components": document["components"]}, answer.json())


# --- following -------------------------------------------------------------------------------------------


async def test_a_stream_begins_now(edge: Any) -> None:
    """What was before does not come; what is committed from now on does, with its place."""
    await publish(edge, STARTED)
    async with following(edge, "?type=canary.*") as reader:
        await reader.begun()
        [made] = await publish(edge, {**STARTED, "id": "later"})
        assert (await reader.next())["id"] == "later"
        assert reader.place == str(made["sequence"])


async def test_a_stream_from_the_beginning_has_everything(edge: Any) -> None:
    """`after=0`, filters and forms hold for streams, too."""
    for _ in range(3):
        await publish(edge, *([STARTED] * 83), {"type": "task.created"})
    async with following(edge, "?after=0&type=canary.*&format=standard") as reader:
        assert {(await reader.next())["type"] for _ in range(249)} == {"canary.deployment.started"}


async def test_who_comes_back_goes_on_where_they_were(edge: Any) -> None:
    """`Last-Event-ID` wins over `after`; nothing is repeated, nothing is left out."""
    made = await publish(edge, *([STARTED] * 4))
    async with following(edge, "?after=0&type=canary.*") as reader:
        assert [(await reader.next())["id"] for _ in range(2)] == [event["id"] for event in made[:2]]
    async with following(edge, "?after=0&type=canary.*", last=reader.place) as reader:
        assert [(await reader.next())["id"] for _ in range(2)] == [event["id"] for event in made[2:]]


async def test_who_has_got_nothing_yet_misses_nothing_either(edge: Any) -> None:
    """The stream tells its first place at once, so that a connection that breaks then can be taken up."""
    async with following(edge, "?type=canary.*") as reader:
        await reader.begun()
    [made] = await publish(edge, STARTED)
    async with following(edge, "?type=canary.*", last=reader.place) as reader:
        assert (await reader.next())["id"] == made["id"]


async def test_a_place_that_is_none_is_refused(edge: Any) -> None:
    """400, before a stream begins."""
    headers = {"accept": "text/event-stream", "last-event-id": "soon"}
    answer = await edge.client.get("/api/events", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")


async def test_the_host_stops_while_somebody_follows(serving: Any) -> None:
    """The stream ends; nobody waits for its reader."""
    async with serving() as edge, following(edge) as reader:
        await reader.begun()
        async with asyncio.timeout(60):
            await edge.server.stop(0)
        with pytest.raises(Exception, match=r"(?s).*"):  # the end of the answer, whole or cut off
            await reader.next()


async def test_events_of_another_host_on_the_same_store_come_too(edge: Any, tmp_path: Any) -> None:
    """Its commits tell nobody here: the reader looks every second."""
    other = await Store.open(StorageSettings(url=str(tmp_path / "edge.db")))
    async with following(edge, "?type=task.created") as reader:
        await reader.begun()
        made = Event(id=new_id(), type=EventType.TASK_CREATED, time=now())
        await other.append_events([made])
        assert (await reader.next())["id"] == made.id
    await other.close()


async def test_a_slow_reader_holds_up_nobody(edge: Any) -> None:
    """While one reads nothing, thousands of large events are published, and another reads them all."""
    large = {**STARTED, "payload": {"a": "x" * 8_000}}
    async with following(edge, "?after=0&type=canary.*") as sleeper, following(edge, "?type=canary.*") as reader:
        await reader.begun()
        for _ in range(20):
            await publish(edge, *([large] * 100))
        assert [(await reader.next())["type"] for _ in range(2_000)]
        assert [(await sleeper.next())["type"] for _ in range(2_000)]


@pytest.mark.parametrize(("query", "last"), [("", "99999999"), ("&after=99999999", None)])
async def test_a_place_that_the_log_has_not_reached_is_its_end(managing: Any, query: str, last: str | None) -> None:
    """Whoever comes with a place of a lost store is told what happens from now on, and where the log is."""
    async with managing() as edge:
        [first] = await publish(edge, STARTED)
        async with following(edge, f"?type=canary.*{query}", last=last) as reader:
            await reader.begun()
            assert first["sequence"] <= int(reader.place) < 99999999
            [event] = await publish(edge, STARTED)
            assert (await reader.next())["id"] == event["id"]
