"""`POST /api/tasks/{id}/execute` over real sockets."""

from __future__ import annotations

import gc
from typing import Any

import msgspec
import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from hotplane.records import Execution
from hotplane.values import MAX_DEPTH


async def post(edge: Any, body: bytes, task: str = "echo") -> Any:
    """Send a body as it is."""
    return await edge.client.post(
        f"/api/tasks/{task}/execute", content=body, headers={"content-type": "application/json"}
    )


async def test_answers_with_the_record(edge: Any) -> None:
    """The answer is the execution's record: output, status, latency, decision, validations."""
    answer = await edge.execute("echo", {"a": [1, 2.5, None]}, expected={"a": [1, 2.5, None]})
    execution = msgspec.json.decode(answer.content, type=Execution)
    assert answer.status_code == 200
    assert (execution.status, execution.output, execution.valid) == ("success", {"a": [1, 2.5, None]}, True)
    assert execution.latency_ms > 0
    assert execution.sampling is not None
    assert [each.validator for each in execution.validations] == ["json-schema-validator"]


async def test_the_answer_comes_after_the_commit(edge: Any) -> None:
    """What was answered can be read back at once."""
    identity = (await edge.execute("echo", 1)).json()["id"]
    found = await edge.client.get(f"/api/executions/{identity}")
    assert found.json()["output"] == 1


async def test_an_answered_request_is_not_left_to_the_garbage_collector(edge: Any) -> None:
    """No ring of references keeps requests: collecting them took a tenth of a busy server's time."""
    await edge.execute("echo", 1)
    gc.collect()  # what other tests have left
    gc.disable()
    try:
        for _ in range(20):
            await edge.execute("echo", 1)
        # The connection holds its latest one, and the task of the one before may not have been left yet.
        assert sum(isinstance(each, RequestResponseCycle) for each in gc.get_objects()) < 5
    finally:
        gc.enable()


async def test_keeps_the_id_of_the_caller(edge: Any) -> None:
    """An id in the body is the execution's id."""
    assert (await edge.execute("echo", 1, id="order-7")).json()["id"] == "order-7"


async def test_null_is_an_expectation(edge: Any) -> None:
    """`expected: null` is compared; leaving it away is not an expectation."""
    compared = (await edge.execute("echo", 1, expected=None)).json()
    assert compared["valid"] is False
    assert "expected" not in (await edge.execute("echo", 1)).json()


@pytest.mark.parametrize(
    ("task", "input", "status", "kind"),
    [
        ("boom", 1, "error", "ValueError"),
        ("not-json", 1, "error", "not-json"),
        ("slow", 5, "timeout", "deadline-exceeded"),
    ],
)
async def test_a_failing_program_is_a_recorded_execution(
    edge: Any, task: str, input: object, status: str, kind: str
) -> None:
    """What a program does wrong is in the record; the request itself went well."""
    answer = await edge.execute(task, input)
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["error"]["type"]) == (status, kind)


async def test_an_input_that_does_not_fit_is_rejected_and_recorded(edge: Any) -> None:
    """The problem points into the body, and names the record."""
    answer = await edge.execute("strict", {"n": "x"})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "input-rejected")
    assert problem["errors"][0]["pointer"] == "/input/n"
    stored = await edge.client.get(f"/api/executions/{problem['execution_id']}")
    assert stored.json()["status"] == "rejected"


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        (b"", 400, "malformed-json", None),
        (b"{", 400, "malformed-json", None),
        (b'{"input": NaN}', 400, "malformed-json", None),
        (b'{"input": [Infinity]}', 400, "malformed-json", None),
        (b'{"input": 1} trailing', 400, "malformed-json", None),
        (b'{"input": "\xff"}', 400, "malformed-json", None),
        (b'{"input": "\\ud800"}', 400, "malformed-json", None),
        (b"[]", 422, "body-does-not-fit", ""),
        (b"{}", 422, "body-does-not-fit", "/input"),
        (b'{"input": 1, "expect": 2}', 422, "body-does-not-fit", "/expect"),
        (b'{"input": 1, "id": 5}', 422, "body-does-not-fit", "/id"),
        (b'{"input": 1e999}', 422, "body-does-not-fit", "/input"),
        (b'{"input": [18446744073709551616]}', 422, "not-json", "/input/0"),
        (b'{"input": 1, "expected": 18446744073709551616}', 422, "not-json", "/expected"),
        (b'{"input": 1, "id": "no spaces"}', 422, "invalid-id", None),
    ],
)
async def test_a_bad_body_is_refused_with_its_place(
    edge: Any, body: bytes, status: int, code: str, pointer: str | None
) -> None:
    """What is wrong with a body is named, with a JSON Pointer where there is a place."""
    answer = await post(edge, body)
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["type"] == f"/errors/{code}"
    assert problem["instance"] == "/api/tasks/echo/execute"
    assert (problem["errors"][0]["pointer"] if "errors" in problem else None) == pointer


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
async def test_deep_nesting_is_refused(edge: Any, depth: int, opening: bytes, closing: bytes) -> None:
    """Whatever the depth, the answer is a problem and not a crash."""
    answer = await post(edge, b'{"input":' + opening * depth + b"1" + closing * depth + b"}")
    assert (answer.status_code, answer.json()["code"]) == (422, "not-json")


async def test_a_lower_limit_of_depth_is_kept(serving: Any) -> None:
    """`server.max_depth` counts the containers of the whole body."""
    async with serving(max_depth=3) as edge:
        assert (await edge.execute("echo", [[1]])).status_code == 200
        assert (await edge.execute("echo", [[[1]]])).json()["code"] == "not-json"
        assert (await edge.execute("echo", '[[[["{{{{')).status_code == 200


async def test_a_misspelt_field_is_corrected(edge: Any) -> None:
    """The problem suggests the field that was meant."""
    assert "did you mean 'expected'" in (await edge.execute("echo", 1, expcted=1)).json()["detail"]


async def test_an_unknown_task_is_not_found(edge: Any) -> None:
    """The problem suggests the task that was meant."""
    answer = await edge.execute("ecko", 1)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-task")
    assert "did you mean 'echo'" in answer.json()["detail"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_only_post_executes(edge: Any, method: str) -> None:
    """Another method is refused, with the one that works."""
    answer = await edge.client.request(method, "/api/tasks/echo/execute")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_full_host_says_when_to_come_back(serving: Any) -> None:
    """With too many requests at once the answer is 503 with Retry-After."""
    async with serving(max_in_flight=1) as edge:
        reader, writer = await edge.connect()
        writer.write(b"POST /api/tasks/echo/execute HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n"
                     b"content-type: application/json\r\nexpect: 100-continue\r\n\r\n")  # fmt: skip
        await reader.readuntil(b"100 Continue\r\n\r\n")
        answer = await edge.execute("echo", 1)
        probe = await edge.client.get("/livez")
        writer.close()
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "overloaded", "1")
    assert probe.status_code == 200


async def test_an_unforeseen_error_tells_nothing_but_its_id(edge: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What nobody foresaw is a 500 problem; only the log has the details, under the id in it."""

    async def fail(*_: object, **__: object) -> None:
        raise KeyError("the secret of the house")

    edge.host._pipeline.execute = fail
    answer = await edge.execute("echo", 1)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert "secret" not in answer.text
    assert answer.json()["error_id"] in caplog.text
