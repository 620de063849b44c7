"""What both clients do with one request: retries, keys, errors."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from hotplane.client import (
    ApiConflict,
    ApiInvalid,
    ApiNotFound,
    ApiUnavailable,
    AsyncClient,
    Client,
    ConnectionFailed,
    NotHotplane,
    PluginHealth,
    RetryPolicy,
)
from hotplane.client.calls import Call
from hotplane.errors import NotFound, NotJson


async def test_an_execution_is_the_record(both: Any) -> None:
    """The answer is an Execution, and fields of a newer server are ignored."""
    found = await both.ask("execute", "shout", {"text": "hello"}, id="mine")
    assert (found.id, found.task_id, found.output, found.status) == ("mine", "shout", {"text": "hello"}, "success")


async def test_every_request_has_a_key_of_its_own(both: Any, fake: Any) -> None:
    """Two calls have two idempotency keys; a given key is used as it is."""
    await both.ask("execute", "shout", 1)
    await both.ask("execute", "shout", 2)
    await both.ask("execute", "shout", 3, idempotency_key="mine")
    first, second, third = (each.headers["idempotency-key"] for each in fake.host.seen)
    assert first != second
    assert third == "mine"


async def test_a_moment_of_trouble_is_waited_out(both: Any, fake: Any) -> None:
    """503 twice, then 200: the caller gets the record, and each try had the same key."""
    fake.host.refuse(503, "overloaded", times=2)
    await both.ask("execute", "shout", 1)
    assert len({each.headers["idempotency-key"] for each in fake.host.seen}) == 1
    assert len(fake.host.seen) == 3
    assert [each.error.code for each in both.retries] == ["overloaded", "overloaded"]


@pytest.mark.parametrize(("status", "code"), [(429, "slow-down"), (409, "idempotency-key-in-flight"), (504, "late")])
async def test_what_may_pass_is_tried_again(both: Any, fake: Any, status: int, code: str) -> None:
    """The statuses that a moment mends are repeated."""
    fake.host.refuse(status, code)
    await both.ask("execute", "shout", 1)
    assert len(fake.host.seen) == 2


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(404, "unknown-task", ApiNotFound), (409, "conflict", ApiConflict), (422, "input-rejected", ApiInvalid)],
)
async def test_a_refusal_is_not_repeated(both: Any, fake: Any, status: int, code: str, error: type[Exception]) -> None:
    """What will not pass is raised at once, with the server's code and words."""
    fake.host.refuse(status, code)
    with pytest.raises(error) as found:
        await both.ask("execute", "shout", 1)
    assert len(fake.host.seen) == 1
    assert (found.value.code, found.value.status, found.value.detail) == (code, status, "No.")  # type: ignore[attr-defined]


async def test_advice_beyond_the_budget_is_not_waited_for(both: Any, fake: Any) -> None:
    """Retry-After of an hour does not fit into 20 s: the refusal is raised now."""
    fake.host.refuse(503, "overloaded", **{"retry-after": "3600"})
    with pytest.raises(ApiUnavailable) as found:
        await both.ask("execute", "shout", 1)
    assert found.value.retry_after == 3600.0
    assert len(fake.host.seen) == 1


async def test_a_lost_answer_does_not_run_it_twice(cut: Any, cutter: Any, fake: Any) -> None:
    """The connection breaks in mid-answer: the repeated request gets the same answer, and it ran once."""
    cutter.cut_answers_after.append(40)
    found = await cut.ask("execute", "shout", "once")
    assert found.output == "once"
    assert (fake.host.executed, len(fake.host.seen)) == (1, 2)


def test_nobody_there_is_said_in_a_sentence() -> None:
    """A refused connection is ConnectionFailed after the tries, without an errno."""
    policy = RetryPolicy(attempts=2, wait_initial=0, wait_jitter=0)
    with (
        Client("http://127.0.0.1:9", retry=policy, on_retry=lambda _: None) as client,
        pytest.raises(ConnectionFailed, match=r"No connection to http://127\.0\.0\.1:9") as found,
    ):
        client.tasks()
    assert "Errno" not in str(found.value)


async def test_someone_else_is_recognised(fake: Any) -> None:
    """A page of HTML is no answer of Hotplane."""
    async with AsyncClient(fake.url) as client:
        with pytest.raises(NotHotplane):
            await client._wire.send(Call(method="GET", path="/elsewhere", shape=PluginHealth))


async def test_a_nan_is_refused_before_it_is_sent(both: Any, fake: Any) -> None:
    """NaN is no JSON value; nothing reaches the server."""
    with pytest.raises(NotJson):
        await both.ask("execute", "shout", [math.nan])
    assert fake.host.seen == []


async def test_the_token_is_sent_and_never_shown(both: Any, fake: Any) -> None:
    """The token is in the header, not in what the client prints or raises."""
    fake.host.refuse(404, "unknown-task")
    with pytest.raises(NotFound) as found:
        await both.ask("execute", "shout", 1)
    assert fake.host.seen[0].headers["authorization"] == "Bearer secret-token"
    assert "secret-token" not in repr(both.client) + str(found.value) + repr(found.value)


async def test_plugins_of_a_newer_server_are_read(both: Any) -> None:
    """Unknown fields of a plugin are ignored."""
    (plugin,) = await both.ask("plugins")
    assert (plugin.id, plugin.state) == ("a", "active")


async def test_not_ready_is_an_answer(both: Any) -> None:
    """503 of the readiness probe is an answer, not an error, and is not repeated."""
    found = await both.ask("ready")
    assert (found.ready, found.reasons) == (False, ("asleep",))
    assert both.retries == []


async def test_bodies_are_json(both: Any, fake: Any) -> None:
    """The expected output is sent only where it is given; null is given."""
    await both.ask("execute", "shout", 1)
    await both.ask("execute", "shout", 1, expected=None)
    assert [msgspec.json.decode(each.body) for each in fake.host.seen] == [{"input": 1}, {"input": 1, "expected": None}]
