"""The plugin routes over real sockets."""

from __future__ import annotations

from typing import Any

import pytest

PLUGIN = "/api/plugins/percentage-sampler"


async def test_lists_the_plugins(edge: Any) -> None:
    """Every plugin is there, with its state and kind."""
    found = {each["id"]: each for each in (await edge.client.get("/api/plugins")).json()["items"]}
    assert set(found) == {"local", "json-schema-validator", "percentage-sampler"}
    assert {each["state"] for each in found.values()} == {"active"}


async def test_filters_choose_by_state_and_kind(edge: Any) -> None:
    """`state` and `kind` narrow the list; `include_health` is accepted."""
    await edge.client.post(f"{PLUGIN}/stop?wait=60")
    for query, expected in (
        ({"state": "unloaded"}, ["percentage-sampler"]),
        ({"kind": "validator", "include_health": "true"}, ["json-schema-validator"]),
        ({"kind": "sampler", "state": "active"}, []),
    ):
        answer = await edge.client.get("/api/plugins", params=query)
        assert [each["id"] for each in answer.json()["items"]] == expected


async def test_shows_a_plugin_with_the_schema_of_its_configuration(edge: Any) -> None:
    """One plugin's answer says what may be configured."""
    shown = (await edge.client.get(PLUGIN)).json()
    assert shown["stats"]["calls"] == 0
    assert "sampling_rate" in shown["config_schema"]["properties"]


async def test_disabling_takes_it_out_of_the_executions(edge: Any) -> None:
    """A disabled sampler does not vote any more; enabled, it votes again."""
    off = await edge.client.post(f"{PLUGIN}/disable")
    assert (off.json()["enabled"], off.json()["overrides"]) == (False, {"enabled": False})
    assert (await edge.execute("echo", 1)).json()["sampling"]["votes"] == []
    assert (await edge.client.post(f"{PLUGIN}/enable")).json()["enabled"] is True
    assert len((await edge.execute("echo", 1)).json()["sampling"]["votes"]) == 1


async def test_priority_is_set_and_reset(edge: Any) -> None:
    """A changed priority is an override, which can be dropped."""
    moved = await edge.client.put(f"{PLUGIN}/priority", json={"priority": 7})
    assert (moved.json()["priority"], moved.json()["overrides"]) == (7, {"priority": 7})
    reset = await edge.client.delete(f"{PLUGIN}/override")
    assert (reset.json()["priority"], reset.json()["overrides"]) == (100, {})


async def test_stops_starts_and_restarts(edge: Any) -> None:
    """The three operations end in the state that they promise."""
    assert (await edge.client.post(f"{PLUGIN}/stop?wait=60")).json()["state"] == "unloaded"
    started = (await edge.client.post(f"{PLUGIN}/start?wait=60")).json()
    assert started["state"] == "active"
    restarted = (await edge.client.post(f"{PLUGIN}/restart?wait=60")).json()
    assert (restarted["state"], restarted["generation"]) == ("active", started["generation"] + 1)


@pytest.mark.parametrize("body", [{"priority": "high"}, {"priority": 1.5}, {}, {"prio": 1}, []])
async def test_a_priority_is_an_integer(edge: Any, body: object) -> None:
    """Anything else is refused."""
    answer = await edge.client.put(f"{PLUGIN}/priority", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "body-does-not-fit")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("POST", "/enable"),
        ("POST", "/disable"),
        ("POST", "/start"),
        ("POST", "/stop"),
        ("POST", "/restart"),
        ("PUT", "/priority"),
        ("DELETE", "/override"),
    ],
)
async def test_an_unknown_plugin_is_not_found(edge: Any, method: str, path: str) -> None:
    """Every route of one plugin says so."""
    body = {"json": {"priority": 1}} if method == "PUT" else {}
    answer = await edge.client.request(method, f"/api/plugins/nobody{path}", **body)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-plugin")


async def test_a_wrong_filter_is_refused(edge: Any) -> None:
    """Unknown states and parameters are named."""
    for query in ({"state": "asleep"}, {"stat": "active"}):
        answer = await edge.client.get("/api/plugins", params=query)
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, next(iter(query)))
