"""Requests with an idempotency key, over real sockets: each is done once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from hotplane.api.application import create_app
from hotplane.api.idempotency import Idempotency
from hotplane.api.keyed import MAX_KEPT_BYTES
from hotplane.config import hash_token
from hotplane.errors import StorageFull
from hotplane.records import Execution

EXECUTE = "/api/tasks/{}/execute"


async def post(edge: Any, task: str, input: object, key: str, **fields: object) -> httpx2.Response:
    """Execute a task with a key."""
    return await edge.client.post(
        EXECUTE.format(task), json={"input": input, **fields}, headers={"idempotency-key": key}
    )


async def count(edge: Any) -> int:
    """Return how many executions are stored."""
    return await edge.host.store.count_executions()


async def test_the_same_request_gets_the_same_answer(edge: Any) -> None:
    """The program runs once, and the repeat says that it is one."""
    first = await post(edge, "echo", {"n": 1}, "a")
    again = await post(edge, "echo", {"n": 1}, "a")
    assert (first.status_code, "idempotent-replayed" in first.headers) == (200, False)
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert await count(edge) == 1
    assert first.json()["minted"] is True


async def test_another_body_is_refused(edge: Any) -> None:
    """So that a mistake of the caller is not taken for an answer; query and type belong to the request, too."""
    await post(edge, "echo", 1, "a")
    other = await post(edge, "echo", 2, "a")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    answer = await edge.client.post(
        EXECUTE.format("echo") + "?x=1", json={"input": 1}, headers={"idempotency-key": "a"}
    )
    assert answer.json()["code"] == "idempotency-key-reused"
    assert await count(edge) == 1
    assert (await post(edge, "echo", 1, "a")).status_code == 200


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """The file that programs wait for."""
    return tmp_path / "gate"


async def admitted(edge: Any) -> None:
    """Wait until an execution runs."""
    async with asyncio.timeout(60):
        while not edge.host.stats()["in_flight"]:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)


async def test_of_two_at_once_one_runs(edge: Any, gate: Any) -> None:
    """The other one is told to come back in a moment, and then gets the answer of the first."""
    both = [asyncio.create_task(post(edge, "held", str(gate), "a")) for _ in range(2)]
    (refused,), (going,) = await asyncio.wait(both, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    gate.touch()
    done, refused = await going, refused.result()
    assert (done.status_code, refused.status_code) == (200, 409)
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("idempotency-key-in-flight", "1")
    assert (await post(edge, "held", str(gate), "a")).content == done.content
    assert await count(edge) == 1


async def test_a_repeat_in_flight_is_refused_before_its_body(edge: Any, gate: Any) -> None:
    """Nobody waits for what will not be looked at."""
    running = asyncio.create_task(post(edge, "held", str(gate), "a"))
    await admitted(edge)
    head = b"POST /api/tasks/held/execute HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    answer = await edge.raw(head + b"idempotency-key: a\r\ncontent-length: 500\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 409 ")
    gate.touch()
    assert (await running).status_code == 200


async def test_the_same_key_elsewhere_is_another_key(serving: Any) -> None:
    """Another path, or another caller's token."""
    async with serving(tokens=[hash_token("one"), hash_token("two")]) as edge:
        for path in (EXECUTE.format("echo"), EXECUTE.format("boom")):
            for token in ("one", "two"):
                headers = {"idempotency-key": "a", "authorization": f"Bearer {token}"}
                answer = await edge.client.post(path, json={"input": 1}, headers=headers)
                assert "idempotent-replayed" not in answer.headers
        assert await count(edge) == 4


@pytest.mark.parametrize("key", [b"", b"a" * 256, b"caf\xe9", b"tab\tbed"])
async def test_a_key_is_printable_ascii(edge: Any, key: bytes) -> None:
    """1 to 255 characters of it."""
    answer = await edge.client.post(EXECUTE.format("echo"), json={"input": 1}, headers={b"idempotency-key": key})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")
    assert await count(edge) == 0


async def test_two_keys_are_none(edge: Any) -> None:
    """Nobody knows which one is meant."""
    body = b'{"input": 1}'
    head = b"POST /api/tasks/echo/execute HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    keys = b"idempotency-key: a\r\nidempotency-key: b\r\ncontent-length: %d\r\n\r\n" % len(body)
    assert (await edge.raw(head + keys + body)).startswith(b"HTTP/1.1 400 ")


async def test_the_longest_key_works_and_other_methods_ignore_it(edge: Any) -> None:
    """GET and the others are repeatable by themselves."""
    key = "~ !" + "k" * 252
    first = await post(edge, "echo", 1, key)
    assert (await post(edge, "echo", 1, key)).content == first.content
    for _ in range(2):
        answer = await edge.client.get("/api/tasks", headers={"idempotency-key": "a\tb"})
        assert (answer.status_code, "idempotent-replayed" in answer.headers) == (200, False)


@pytest.mark.parametrize(
    ("task", "input", "status"), [("nobody", 1, 404), ("strict", {"n": "x"}, 422), ("boom", 1, 200), ("slow", 1, 200)]
)
async def test_failures_that_last_are_kept(edge: Any, task: str, input: object, status: int) -> None:
    """Refusals are answers, too; what was recorded is recorded once."""
    first, again = [await post(edge, task, input, "a") for _ in range(2)]
    assert (first.status_code, again.status_code, again.content) == (status, status, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotent-replayed"] == "true"
    assert await count(edge) <= 1


async def test_failures_that_pass_are_not_kept(edge: Any) -> None:
    """An overloaded host did nothing: the repeat is the first that does."""
    limit = edge.host._pipeline._settings
    edge.host._pipeline._settings = limit.model_copy(update={"max_in_flight": 0})
    assert (await post(edge, "echo", 1, "a")).status_code == 503
    edge.host._pipeline._settings = limit
    again = await post(edge, "echo", 1, "a")
    assert (again.status_code, "idempotent-replayed" in again.headers) == (200, False)


async def test_conflicts_are_not_kept(edge: Any) -> None:
    """What is in the way now may be gone in a moment."""
    make = {"id": "new", "program": "edge_programs:echo"}
    first = await edge.client.post("/api/tasks", json=make, headers={"idempotency-key": "a"})
    again = await edge.client.post("/api/tasks", json=make, headers={"idempotency-key": "b"})
    assert (first.status_code, again.status_code) == (201, 409)
    await edge.client.delete("/api/tasks/new")
    assert (await edge.client.post("/api/tasks", json=make, headers={"idempotency-key": "b"})).status_code == 201
    replay = await edge.client.post("/api/tasks", json=make, headers={"idempotency-key": "a"})
    assert (replay.status_code, replay.headers.get("location")) == (201, first.headers.get("location"))


async def test_a_large_answer_is_read_from_the_record(edge: Any) -> None:
    """What is not kept beside the key is where the record is."""
    text = "x" * 600_000
    first, again = [await post(edge, "echo", text, "a") for _ in range(2)]
    assert len(first.content) > MAX_KEPT_BYTES
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_body_above_the_limit_leaves_the_key_free(serving: Any) -> None:
    """It was refused before it was known."""
    async with serving(max_body_bytes=1000) as edge:

        async def parts() -> Any:
            yield b'{"input": "'
            yield b"x" * 2000

        headers = {"idempotency-key": "a", "content-type": "application/json"}
        answer = await edge.client.post(EXECUTE.format("echo"), content=parts(), headers=headers)
        assert answer.status_code == 413
        again = await post(edge, "echo", 1, "a")
        assert (again.status_code, "idempotent-replayed" in again.headers) == (200, False)


async def test_an_id_of_the_caller_stays_his(edge: Any) -> None:
    """A rerun with another key runs; a repeat with the same key does not."""
    first = await post(edge, "echo", 1, "a", id="mine")
    rerun = await post(edge, "echo", 1, "b", id="mine")
    assert first.json()["id"] == rerun.json()["id"] == "mine"
    assert (await post(edge, "echo", 1, "a", id="mine")).content == first.content
    assert await count(edge) == 2


async def test_who_leaves_in_the_middle_of_the_body_leaves_the_key_free(edge: Any) -> None:
    """Nothing ran."""
    _, writer = await edge.connect()
    head = b"POST /api/tasks/echo/execute HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    writer.write(head + b'idempotency-key: a\r\ncontent-length: 500\r\n\r\n{"input"')
    await writer.drain()
    writer.close()
    while (answer := await post(edge, "echo", 1, "a")).status_code == 409:  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0.01)
    assert (answer.status_code, "idempotent-replayed" in answer.headers) == (200, False)


async def test_a_key_of_another_host_in_flight_is_refused(edge: Any, serving: Any, gate: Any) -> None:
    """Two servers on one store: one runs, whichever was first, and both have its answer."""
    async with serving() as other:
        running = asyncio.create_task(post(edge, "held", str(gate), "a"))
        await admitted(edge)
        assert (await post(other, "held", str(gate), "a")).status_code == 409
        gate.touch()
        done = await running
        # The outcome is written down right after the answer, which the other host may see a moment later.
        while (again := await post(other, "held", str(gate), "a")).status_code == 409:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert again.content == done.content


async def test_a_key_is_forgotten_after_its_hours(serving: Any) -> None:
    """By the host's own clock; until then the answer stays."""
    at = datetime(2030, 1, 1, tzinfo=UTC)
    async with serving(idempotency_hours=2) as edge:
        inside = create_app(edge.host)

        async def without_key(scope: Any, receive: Any, send: Any) -> None:
            headers = [each for each in scope["headers"] if each[0] != b"idempotency-key"]
            await inside({**scope, "headers": headers}, receive, send)

        app = Idempotency(edge.host, without_key, clock=lambda: at)
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(base_url="http://localhost", transport=transport) as client:

            async def ask() -> bool:
                answer = await client.post(
                    EXECUTE.format("echo"), json={"input": 1}, headers={"idempotency-key": "a", "host": "localhost"}
                )
                assert answer.status_code == 200
                return "idempotent-replayed" in answer.headers

            assert not await ask()
            at += timedelta(hours=2)
            assert await ask()
            at += timedelta(microseconds=1)
            assert not await ask()


async def test_only_so_many_keys_are_kept(serving: Any) -> None:
    """The oldest make room."""
    async with serving(max_idempotency_keys=3) as edge:
        for key in "abcdef":
            await post(edge, "echo", 1, key)
        assert "idempotent-replayed" not in (await post(edge, "echo", 1, "a")).headers
        assert "idempotent-replayed" in (await post(edge, "echo", 1, "f")).headers


async def test_a_key_that_cannot_be_stored_runs_nothing(edge: Any) -> None:
    """Without the promise there is no request."""
    await edge.host.store.close()
    answer = await post(edge, "echo", 1, "a")
    assert answer.status_code == 503
    assert edge.host.stats()["executions"] == {}


async def test_what_ran_and_was_not_stored_is_not_run_again(edge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repeat gets the record, or one that says that nobody knows."""

    async def fail(*_: object, **__: object) -> Execution:
        raise StorageFull("full")

    with monkeypatch.context() as patch:
        patch.setattr(edge.host.store, "record", fail)
        assert (await post(edge, "echo", 1, "a")).status_code == 507
    again = await post(edge, "echo", 1, "a")
    assert (again.status_code, again.json()["status"]) == (200, "interrupted")
    assert (await post(edge, "echo", 1, "a")).content == again.content
    assert await count(edge) == 1


async def test_who_does_not_wait_finds_the_answer_later(edge: Any, gate: Any) -> None:
    """The execution goes on without its caller, and the key has its record."""
    _, writer = await edge.connect()
    body = b'{"input":"%b"}' % bytes(gate)  # as the client below writes it: the fingerprint is that of the bytes
    head = b"POST /api/tasks/held/execute HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    writer.write(head + b"idempotency-key: a\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()
    await admitted(edge)
    writer.close()
    await writer.wait_closed()
    gate.touch()
    while (again := await post(edge, "held", str(gate), "a")).status_code == 409:  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0.02)
    assert (again.json()["status"], again.headers["idempotent-replayed"]) == ("success", "true")
    assert await count(edge) == 1


async def test_every_post_describes_the_header(edge: Any) -> None:
    """And what a repeat may get."""
    document = (await edge.client.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            names = [each["name"] for each in operation.get("parameters", ())]
            assert ("Idempotency-Key" in names) == (method == "post"), path
            assert method != "post" or {"409", "422"} <= operation["responses"].keys()
