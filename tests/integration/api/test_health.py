"""The health routes over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

SICK = "return Health(status=HealthStatus.UNHEALTHY, message='no database')"
MANUAL = {"enabled": False, "failure_threshold": 3, "recovery_attempts": 1}


async def check(edge: Any, plugin: str) -> dict[str, Any]:
    """Check a plugin now."""
    return (await edge.client.post(f"/api/plugins/{plugin}/health/check")).json()


async def test_the_health_of_every_plugin_is_listed(managing: Any, plugins: Any) -> None:
    """Active or not; nothing is known of one that never started."""
    plugins.write("broken", start="raise RuntimeError('no')")
    async with managing() as edge:
        found = {each["plugin_id"]: each for each in (await edge.client.get("/api/plugins/health")).json()["items"]}
        assert set(found) == {"broken", "local", "json-schema-validator", "percentage-sampler"}
        assert (found["broken"]["status"], found["broken"]["active"]) == ("unknown", False)


async def test_failed_checks_make_a_plugin_unhealthy_and_restart_it(managing: Any, plugins: Any) -> None:
    """The third failure in a row takes it out of service; the report keeps the history, the plugin says why."""
    plugins.write("sick", health=SICK)
    async with managing(health=MANUAL) as edge:
        for failures in (1, 2, 3):
            assert (await check(edge, "sick"))["consecutive_failures"] == failures
        async with asyncio.timeout(60):
            while (shown := (await edge.client.get("/api/plugins/sick")).json())["state"] != "failed":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert "no database" in shown["reason"]
        assert shown["retry_at"] is not None
        health = (await edge.client.get("/api/plugins/sick/health")).json()
        assert (health["status"], health["success_rate"], len(health["history"])) == ("unhealthy", 0.0, 3)
        summary = (await edge.client.get("/api/plugins/health/summary")).json()
        assert (summary["status"], summary["states"]["failed"]) == ("unhealthy", 1)
        assert [each["plugin_id"] for each in summary["failed"]] == ["sick"]


async def test_a_reload_of_the_same_version_is_judged_anew(managing: Any, plugins: Any) -> None:
    """Failures of the generation before are not held against the new one."""
    plugins.write("sick", health=SICK)
    async with managing(health=MANUAL) as edge:
        await check(edge, "sick")
        await check(edge, "sick")
        plugins.write("sick", start="self.mended = True")
        assert (await edge.client.post("/api/plugins/sick/reload?wait=60")).json()["generation"] == 2
        health = await check(edge, "sick")
        assert (health["status"], health["consecutive_failures"]) == ("healthy", 0)


async def test_a_list_with_health(edge: Any) -> None:
    """`include_health` adds each plugin's report; without it the list has none."""
    await edge.client.post("/api/plugins/local/health/check")
    query = {"include_health": "true", "kind": "runner", "state": "active"}
    listed = (await edge.client.get("/api/plugins", params=query)).json()["items"]
    assert [(each["id"], each["health"]["status"]) for each in listed] == [("local", "healthy")]
    assert "health" not in (await edge.client.get("/api/plugins")).json()["items"][0]


async def test_unknown_plugins_have_no_health(edge: Any) -> None:
    """Neither to read nor to check."""
    for method, path in (("GET", "health"), ("POST", "health/check")):
        answer = await edge.client.request(method, f"/api/plugins/nobody/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-plugin")
