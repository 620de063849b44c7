"""What Prometheus sees, read by a small parser of its text format."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from hotplane.config import hash_token
from tests.integration.api.conftest import FOREVER

SAMPLE = re.compile(r'([a-zA-Z_:][\w:]*)(?:\{((?:\w+="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

STATUSES = ("success", "error", "cancelled")

Labels = frozenset[tuple[str, str]]


def parse(text: str) -> dict[str, dict[Labels, float]]:
    """Return the samples by name and labels; fail at the first line that the format does not allow."""
    samples: dict[str, dict[Labels, float]] = {}
    types: dict[str, str] = {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, line
            types[name] = kind
        elif not line.startswith("# HELP "):
            found = SAMPLE.fullmatch(line)
            assert found is not None, line
            family = re.sub(r"_(bucket|sum|count)$", "", found[1])
            assert found[1] in types or types.get(family) == "histogram", line
            labels = frozenset(LABEL.findall(found[2] or ""))
            series = samples.setdefault(found[1], {})
            assert labels not in series, line
            series[labels] = float(found[3])
    return samples


def of(samples: Mapping[str, Mapping[Labels, float]], name: str, **labels: str) -> float:
    """Return one sample."""
    return samples[name][frozenset(labels.items())]


async def test_every_number_is_there(managing: Any, plugins: Any) -> None:
    """Calls by plugin and version, generation, executions, states, the event loop."""
    plugins.write("checker")
    async with managing(watchdog={"threshold_seconds": 60}) as edge:
        await edge.execute("echo", 1)
        plugins.write("checker", "2.0")
        await edge.client.post("/api/plugins/checker/reload?wait=60")
        for _ in range(2):
            await edge.execute("echo", 1)
        answer = await edge.client.get("/metrics")
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        samples = parse(answer.text)
        calls = "hotplane_plugin_calls_total"
        assert of(samples, calls, plugin="checker", kind="validator", version="1.0") == 1
        assert of(samples, calls, plugin="checker", kind="validator", version="2.0") == 2
        assert of(samples, "hotplane_plugin_generation", plugin="checker", kind="validator") == 2
        assert of(samples, "hotplane_plugin_restarts_total", plugin="checker", kind="validator") == 0
        assert of(samples, "hotplane_executions_total", status="success") == 3
        assert of(samples, "hotplane_plugins", state="active") == 4
        assert of(samples, "hotplane_loop_blockages_total") == 0
        bucket = {"plugin": "checker", "kind": "validator", "version": "2.0", "le": "+Inf"}
        assert of(samples, "hotplane_plugin_call_duration_seconds_bucket", **bucket) == 2


async def test_the_metrics_need_a_token_where_there_is_one(serving: Any) -> None:
    """They tell about plugins and load, which is nobody's business."""
    async with serving(tokens=[hash_token("secret")]) as edge:
        assert (await edge.client.get("/metrics")).status_code == 401
        answer = await edge.client.get("/metrics", headers={"authorization": "Bearer secret"})
        assert answer.status_code == 200


async def until_done(edge: Any, batch_id: str, count: int) -> None:
    """Wait until a batch has some results."""
    seen = 0
    async with asyncio.timeout(60):
        while (status := await edge.host.batches.changed(batch_id, seen, 5.0)).done < count:
            seen = status.last_sequence


async def test_batches_have_numbers(serving: Any) -> None:
    """By state while they run, and the results of their items by status."""
    async with serving() as edge:
        before = parse((await edge.client.get("/metrics")).text)
        assert of(before, "hotplane_batches", state="running") == 0
        assert of(before, "hotplane_batch_items_total", status="success") == 0
        items = [{"input": 0}, {"input": "no number of seconds"}, {"input": FOREVER}]
        body, later = {"task_id": "patient", "items": items}, {"prefer": "respond-async"}
        name = (await edge.client.post("/api/batch/execute", json=body, headers=later)).json()["id"]
        await until_done(edge, name, 2)
        during = parse((await edge.client.get("/metrics")).text)
        assert of(during, "hotplane_batches", state="running") == 1
        assert of(during, "hotplane_batches_waiting") == 0
        assert of(during, "hotplane_batch_items_pending") == 1
        await edge.client.post(f"/api/batch/{name}/cancel")
        await edge.host.batches.wait(name, 60)
        after = parse((await edge.client.get("/metrics")).text)
        results = {status: of(after, "hotplane_batch_items_total", status=status) for status in STATUSES}
        assert results == {"success": 1, "error": 1, "cancelled": 1}
        assert of(after, "hotplane_batches", state="running") == of(after, "hotplane_batch_items_pending") == 0


async def test_breakers_and_fallbacks_have_numbers(edge: Any) -> None:
    """One for each runner of a route, and where the work of the first one goes."""
    await edge.execute("echo", 1)
    samples = parse((await edge.client.get("/metrics")).text)
    breaker = {"scope": "runner", "target": "local"}
    assert of(samples, "hotplane_breaker_state", **breaker, state="closed") == 1
    assert of(samples, "hotplane_breaker_state", **breaker, state="open") == 0
    assert of(samples, "hotplane_breaker_openings_total", **breaker) == 0
    assert of(samples, "hotplane_fallback_mode", runner="local", mode="primary") == 1


async def test_handlers_have_numbers_also_while_they_are_disabled(managing: Any) -> None:
    """What waits for a disabled handler is what an operator has to see."""
    handler = {"name": "out", "type": "console-webhook-handler", "enabled": False}
    async with managing(plugins={"webhook_handlers": [handler]}) as edge:
        samples = parse((await edge.client.get("/metrics")).text)
        assert of(samples, "hotplane_deliveries_pending", handler="out") == 0
        assert of(samples, "hotplane_delivery_attempts_total", handler="out", outcome="delivered") == 0
