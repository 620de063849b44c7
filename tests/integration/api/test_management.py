"""Loading, reloading, configuring and removing plugins over real sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.integration.api.conftest import held


async def test_a_broken_edit_leaves_the_old_generation_serving(managing: Any, plugins: Any) -> None:
    """The answer says why, the plugin says it too, and executions go on with the old version."""
    plugins.write("checker")
    async with managing() as edge:
        plugins.write("checker", "2.0", start="raise RuntimeError('no database')")
        answer = await edge.client.post("/api/plugins/checker/reload?wait=60")
        assert (answer.status_code, answer.json()["code"]) == (409, "plugin-reload-failed")
        assert "no database" in answer.json()["detail"]
        shown = (await edge.client.get("/api/plugins/checker")).json()
        assert (shown["state"], shown["version"], shown["generation"]) == ("active", "1.0", 1)
        assert (shown["last_reload"]["outcome"], shown["last_reload"]["trigger"]) == ("failed", "operator")
        record = (await edge.execute("echo", 1)).json()
        verdict = next(each for each in record["validations"] if each["validator"] == "checker")
        assert (verdict["version"], verdict["generation"]) == ("1.0", 1)


async def test_a_mended_edit_serves(managing: Any, plugins: Any) -> None:
    """The next reload brings the new version in; the numbers are kept by version."""
    plugins.write("checker")
    async with managing() as edge:
        await edge.execute("echo", 1)
        plugins.write("checker", "2.0")
        answer = await edge.client.post("/api/plugins/checker/reload?wait=60")
        assert (answer.json()["version"], answer.json()["generation"]) == ("2.0", 2)
        await edge.execute("echo", 1)
        stats = (await edge.client.get("/api/plugins/system/stats")).json()["by_plugin"]["checker"]
        assert [(each["version"], each["stats"]["calls"], each["live"]) for each in stats["versions"]] == [
            ("1.0", 1, False),
            ("2.0", 1, True),
        ]
        assert (stats["generation"], stats["restarts"], stats["state"]) == (2, 0, "active")


async def test_reloading_the_system_brings_everything_up_to_date(managing: Any, plugins: Any) -> None:
    """Changed ones are reloaded, new ones started, gone ones reported, broken ones explained."""
    for name in ("same", "changed", "broken"):
        plugins.write(name)
    async with managing() as edge:
        plugins.write("changed", "2.0")
        plugins.write("broken", "2.0", start="raise RuntimeError('no')")
        plugins.write("new")
        answer = await edge.client.post("/api/plugins/system/reload?wait=60")
        found = {each["plugin_id"]: (each["outcome"], each["version"]) for each in answer.json()["items"]}
        assert found == {
            "same": ("unchanged", "1.0"),
            "changed": ("reloaded", "2.0"),
            "broken": ("failed", "1.0"),
            "new": ("started", "1.0"),
        }
        again = (await edge.client.post("/api/plugins/system/reload?wait=60")).json()["items"]
        assert {each["outcome"] for each in again} == {"unchanged", "failed"}


async def test_loads_a_file_and_removes_it(managing: Any, plugins: Any) -> None:
    """A plugin that came later is active, shows what it was loaded from, and can be forgotten."""
    async with managing() as edge:
        path = plugins.write("later")
        answer = await edge.client.post("/api/plugins?wait=60", json={"path": str(path)})
        assert (answer.status_code, answer.json()["id"], answer.json()["state"]) == (200, "later", "active")
        assert len(answer.json()["origin"]["sha256"]) == 64
        gone = await edge.client.delete("/api/plugins/later?wait=60")
        assert (gone.status_code, gone.content) == (204, b"")
        assert (await edge.client.get("/api/plugins/later")).status_code == 404
        assert (await edge.client.get("/api/plugins/later/health")).status_code == 404


async def test_loads_by_reference_with_id_and_configuration(managing: Any, plugins: Any) -> None:
    """As often as wanted under different ids."""
    allowed = {"paths": ["hotplane.builtin.samplers.percentage"]}
    reference = "hotplane.builtin.samplers.percentage:PercentageSampler"
    async with managing(plugins=allowed) as edge:
        body = {"reference": reference, "id": "more", "configuration": {"sampling_rate": 0.5}}
        answer = await edge.client.post("/api/plugins?wait=60", json=body)
        assert (answer.json()["id"], answer.json()["kind"], answer.json()["state"]) == ("more", "sampler", "active")
        again = await edge.client.post("/api/plugins?wait=60", json=body)
        assert (again.status_code, again.json()["code"]) == (409, "duplicate-plugin")


async def test_loading_code_needs_the_operators_leave(managing: Any, plugins: Any, tmp_path: Any) -> None:
    """Paths and modules that the file does not allow are refused before anything is read."""
    (tmp_path / "elsewhere.py").write_text("raise SystemExit")
    async with managing() as edge:
        for body, code in (
            ({"path": str(tmp_path / "elsewhere.py")}, "path-not-allowed"),
            ({"path": f"{plugins.folder}/../elsewhere.py"}, "path-not-allowed"),
            ({"reference": "os:system"}, "reference-not-allowed"),
            ({"path": "a.py", "reference": "a:B"}, "body-does-not-fit"),
            ({}, "body-does-not-fit"),
            ({"path": "a\0b"}, "body-does-not-fit"),
            ({"path": "a" * 10_000}, "path-not-allowed"),
            ({"paht": "a.py"}, "body-does-not-fit"),
        ):
            answer = await edge.client.post("/api/plugins", json=body)
            assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_new_configuration_is_checked_and_kept(managing: Any, plugins: Any) -> None:
    """One that does not fit is refused with its pointers; one that fits brings a new generation."""
    plugins.write("checker")
    async with managing() as edge:
        bad = await edge.client.put("/api/plugins/checker/config?wait=60", json={"limit": "many"})
        assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (422, "/limit")
        answer = await edge.client.put("/api/plugins/checker/config?wait=60", json={"limit": 7})
        assert (answer.json()["generation"], answer.json()["overrides"]) == (2, {"configuration": {"limit": 7}})
        for body in ([1], "text", 3):
            refused = await edge.client.put("/api/plugins/checker/config", json=body)
            assert (refused.status_code, refused.json()["code"]) == (422, "body-does-not-fit")


async def test_a_removed_files_plugin_goes_at_the_next_look(managing: Any, plugins: Any) -> None:
    """A plugin that serves goes on serving without its file; one that does not is forgotten."""
    kept, gone = plugins.write("kept"), plugins.write("gone", start="raise RuntimeError('no')")
    async with managing() as edge:
        kept.unlink()
        gone.unlink()
        answer = await edge.client.post("/api/plugins/system/reload?wait=60")
        outcomes = {each["plugin_id"]: each["outcome"] for each in answer.json()["items"]}
        assert outcomes["gone"] == "removed"
        shown = (await edge.client.get("/api/plugins/kept")).json()
        assert (shown["state"], shown["origin"]["missing"]) == ("active", True)


async def test_many_reloads_at_once_are_joined(managing: Any, plugins: Any, tmp_path: Path) -> None:
    """Twenty requests make two reloads at most, and all get an answer."""
    gate = tmp_path / "gate"
    gate.touch()
    plugins.write("checker", start=held(gate))
    async with managing() as edge:
        gate.unlink()
        path = "/api/plugins/checker/reload?wait=60"
        asked = [asyncio.create_task(edge.client.post(path)) for _ in range(20)]
        async with asyncio.timeout(60):
            while len(edge.server._ongoing.operations._running) < 20:  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.01)
        gate.touch()
        assert {each.status_code for each in await asyncio.gather(*asked)} == {200}
        assert (await edge.client.get("/api/plugins/checker")).json()["generation"] <= 3
