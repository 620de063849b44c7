"""The task routes over real sockets."""

from __future__ import annotations

from typing import Any

import pytest

TASK = {"id": "copy", "program": "edge_programs:echo"}


async def test_a_task_is_made_shown_changed_and_deleted(edge: Any) -> None:
    """The life of a task, and each step is visible in the next answer."""
    made = await edge.client.post("/api/tasks", json=TASK)
    assert (made.status_code, made.headers["location"]) == (201, "/api/tasks/copy")
    assert (made.json()["source"], made.json()["overridden"], made.json()["problem"]) == ("api", False, None)
    assert (await edge.execute("copy", 7)).json()["output"] == 7
    changed = await edge.client.put("/api/tasks/copy", json={"program": "edge_programs:boom", "timeout_ms": 5})
    assert (changed.status_code, changed.json()["timeout_ms"]) == (200, 5)
    assert (await edge.client.get("/api/tasks/copy")).json() == changed.json()
    assert (await edge.client.delete("/api/tasks/copy")).status_code == 204
    assert (await edge.client.get("/api/tasks/copy")).status_code == 404


async def test_lists_every_task(edge: Any) -> None:
    """The list has the tasks of the file and those of the API, by id."""
    await edge.client.post("/api/tasks", json=TASK)
    found = (await edge.client.get("/api/tasks")).json()["items"]
    assert [each["id"] for each in found] == ["boom", "copy", "echo", "held", "not-json", "patient", "slow", "strict"]


async def test_a_task_of_the_file_is_overridden_and_reset(edge: Any) -> None:
    """PUT overrides what the file says, shows so, and the override can be dropped."""
    changed = await edge.client.put("/api/tasks/echo", json={"program": "edge_programs:boom"})
    assert (changed.json()["source"], changed.json()["overridden"]) == ("file", True)
    reset = await edge.client.delete("/api/tasks/echo/override")
    assert (reset.json()["program"], reset.json()["overridden"]) == ("edge_programs:echo", False)


async def test_a_task_of_the_file_cannot_be_deleted(edge: Any) -> None:
    """It would come back: 409."""
    answer = await edge.client.delete("/api/tasks/echo")
    assert (answer.status_code, answer.json()["code"]) == (409, "declared-in-file")


async def test_an_id_is_given_once(edge: Any) -> None:
    """A second task of the same id is a conflict, and the first one stays."""
    answer = await edge.client.post("/api/tasks", json={**TASK, "id": "echo", "program": "edge_programs:boom"})
    assert (answer.status_code, answer.json()["code"]) == (409, "duplicate-task")
    assert (await edge.execute("echo", 1)).json()["output"] == 1


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"program": "edge_programs:nothing"}, "program-not-importable", None),
        ({"program": "edge_programs.missing:run"}, "program-not-importable", None),
        ({"program": "os:system"}, "program-not-allowed", None),
        ({"program": 5}, "body-does-not-fit", "/program"),
        ({"input_schema": {"type": "strnig"}}, "invalid-schema", "/input_schema"),
        ({"input_schema": 5}, "invalid-schema", "/input_schema"),
        ({"output_schema": {"$ref": "http://example.org/schema"}}, "invalid-schema", "/output_schema"),
        ({"sampling_rate": 2}, "body-does-not-fit", "/sampling_rate"),
        ({"timeout_ms": 0}, "body-does-not-fit", "/timeout_ms"),
        ({"timeot_ms": 5}, "body-does-not-fit", "/timeot_ms"),
        ({"route": ["local", 7]}, "body-does-not-fit", "/route/1"),
        ({"route": ["moon"]}, "invalid-route", None),
        ({"id": "a b"}, "invalid-id", None),
    ],
)
async def test_a_task_that_cannot_be_used_is_refused(
    edge: Any, change: dict[str, object], code: str, pointer: str | None
) -> None:
    """What is wrong with a task is said when it is made, with its place; nothing is stored."""
    answer = await edge.client.post("/api/tasks", json={**TASK, **change})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, code)
    if pointer is not None:
        assert problem["errors"][0]["pointer"].startswith(pointer)
    assert (await edge.client.get("/api/tasks/copy")).status_code == 404


async def test_a_task_keeps_its_id(edge: Any) -> None:
    """A body that names another id than the path is refused."""
    answer = await edge.client.put("/api/tasks/echo", json={**TASK, "id": "other"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/id")


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PUT", ""), ("DELETE", ""), ("DELETE", "/override")])
async def test_an_unknown_task_is_not_found(edge: Any, method: str, path: str) -> None:
    """Every route of one task says so."""
    body = {"json": {"program": "edge_programs:echo"}} if method == "PUT" else {}
    answer = await edge.client.request(method, f"/api/tasks/nobody{path}", **body)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-task")


async def test_another_method_is_refused_with_those_that_work(edge: Any) -> None:
    """405 lists every method of the path."""
    answer = await edge.client.patch("/api/tasks/echo", json={})
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, PUT")
