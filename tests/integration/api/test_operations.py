"""Operations that take time: 202 and a place to ask, or the result within the time that the client waits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.integration.api.conftest import held

HANG = "import asyncio; await asyncio.sleep(3600)"


async def ended(edge: Any, place: str) -> dict[str, Any]:
    """Ask for an operation until it has ended."""
    async with asyncio.timeout(60):
        while (found := (await edge.client.get(place)).json())["state"] == "running":  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found


async def test_an_operation_answers_at_once_with_its_place(managing: Any, plugins: Any) -> None:
    """202, `Location`, and there the result when it has ended."""
    plugins.write("one")
    async with managing() as edge:
        answer = await edge.client.post("/api/plugins/one/restart")
        assert answer.status_code == 202
        assert answer.headers["location"] == f"/api/operations/{answer.json()['id']}"
        operation = await ended(edge, answer.headers["location"])
        assert (operation["state"], operation["kind"], operation["plugin_id"]) == ("succeeded", "restart", "one")
        assert (operation["result"]["state"], operation["result"]["generation"]) == ("active", 2)
        assert operation["ended_at"] >= operation["started_at"]


@pytest.mark.parametrize(("what", "state"), [("stop", "unloaded"), ("restart", "active"), ("reload", "active")])
async def test_who_waits_gets_the_result(managing: Any, plugins: Any, what: str, state: str) -> None:
    """`wait` turns the answer into that of the operation."""
    plugins.write("one")
    async with managing() as edge:
        answer = await edge.client.post(f"/api/plugins/one/{what}?wait=60")
        assert (answer.status_code, answer.json()["state"]) == (200, state)


async def test_a_hanging_start_ends_failed(managing: Any, plugins: Any) -> None:
    """The operation says in the end why it failed."""
    plugins.write("hangs", start=HANG)
    async with managing(plugins={"start_timeout_seconds": 0.4}) as edge:
        assert (await edge.client.get("/api/plugins/hangs")).json()["state"] == "failed"
        answer = await edge.client.post("/api/plugins/hangs/start")
        operation = await ended(edge, answer.headers["location"])
        assert (operation["state"], operation["problem"]["code"]) == ("failed", "plugin-start-failed")
        assert "0.4 s" in operation["problem"]["detail"]


async def test_who_waits_for_too_short_a_time_asks_again(managing: Any, plugins: Any, tmp_path: Path) -> None:
    """The answer is 202 and the start goes on; others are served meanwhile."""
    gate = tmp_path / "gate"
    plugins.write("slow", start="raise RuntimeError('no luck')")
    async with managing(plugins={"start_timeout_seconds": 3600}) as edge:
        plugins.write("slow", start=held(gate, "raise RuntimeError('no luck')"))
        answer = await edge.client.post("/api/plugins/slow/start?wait=0.05")
        assert (answer.status_code, answer.json()["state"]) == (202, "running")
        assert (await edge.execute("echo", 1)).json()["status"] == "success"
        gate.touch()
        operation = await ended(edge, answer.headers["location"])
        assert (operation["state"], operation["problem"]["code"]) == ("failed", "plugin-start-failed")
        assert "no luck" in operation["problem"]["detail"]


async def test_what_is_refused_at_once_is_no_operation(managing: Any, plugins: Any) -> None:
    """Unknown plugins, and removing what the file declares, are refused although nobody waits."""
    plugins.write("one")
    async with managing() as edge:
        for method, path, status, code in (
            ("POST", "nobody/start", 404, "unknown-plugin"),
            ("DELETE", "nobody", 404, "unknown-plugin"),
            ("DELETE", "percentage-sampler", 409, "declared-in-file"),
            ("DELETE", "local", 409, "declared-in-file"),
        ):
            answer = await edge.client.request(method, f"/api/plugins/{path}")
            assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_stop_of_the_server_ends_what_runs(managing: Any, plugins: Any) -> None:
    """A start that hangs does not keep the server from stopping."""
    plugins.write("late")
    async with managing(plugins={"start_timeout_seconds": 3600}) as edge:
        await edge.client.post("/api/plugins/late/stop?wait=60")
        plugins.write("late", start=HANG)
        place = (await edge.client.post("/api/plugins/late/start?wait=0.3")).headers["location"]
        async with asyncio.timeout(60):
            await edge.server.stop(0.1)
        operation = edge.server._ongoing.operations.get(place.rpartition("/")[2])
        assert (operation.state, operation.problem.code) == ("failed", "shutting-down")


async def test_unknown_operations_are_not_found(edge: Any) -> None:
    """As everything else that is not there."""
    answer = await edge.client.get("/api/operations/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-operation")


async def test_the_table_is_bounded(managing: Any, plugins: Any) -> None:
    """Only so many run at once; of the ended ones the oldest go."""
    plugins.write("late")
    async with managing(plugins={"start_timeout_seconds": 3600}, server={"max_operations": 1}) as edge:
        first = (await edge.client.post("/api/plugins/late/restart")).headers["location"]
        await ended(edge, first)
        await edge.client.post("/api/plugins/late/stop?wait=60")
        assert (await edge.client.get(first)).status_code == 404
        plugins.write("late", start=HANG)
        await edge.client.post("/api/plugins/late/start")
        answer = await edge.client.post("/api/plugins/late/stop")
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")


@pytest.mark.parametrize("wait", ["-1", "301", "nan", "long"])
async def test_a_wait_is_a_reasonable_number_of_seconds(edge: Any, wait: str) -> None:
    """Anything else is refused."""
    answer = await edge.client.post("/api/plugins/percentage-sampler/stop", params={"wait": wait})
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "wait")
