"""What Prometheus sees, read by a small parser of its text format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hotplane.config import hash_token

SAMPLE = re.compile(r'([a-zA-Z_:][\w:]*)(?:\{((?:\w+="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

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
    async with managing() as edge:
        await edge.execute("echo", 1)
        plugins.write("checker", "2.0")
        await edge.client.post("/api/plugins/checker/reload?wait=10")
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
