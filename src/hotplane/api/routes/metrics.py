"""Numbers for Prometheus. Imports only lower rooms and `hotplane.api`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, cast

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hotplane.api.answers import host_of
from hotplane.api.describe import PROBLEMS_KEY
from hotplane.app import Hotplane
from hotplane.host.exposition import CONTENT_TYPE, Family, Sample, render
from hotplane.records import ExecutionStatus, PluginState
from hotplane.routing.metrics import Guarded, breaker_families, fallback_families
from hotplane.webhooks.values import KIND

__all__ = ["router"]

router = APIRouter(tags=["system"])

_metrics: Any = {
    "response_class": Response,
    "response_model": None,
    "responses": {
        200: {
            "description": "The metrics, in the text format 0.0.4.",
            "content": {
                "text/plain": {
                    "schema": {"type": "string"},
                    "example": 'hotplane_plugin_calls_total{plugin="local",kind="runner",version="1.0"} 7\n',
                }
            },
        }
    },
    "openapi_extra": {PROBLEMS_KEY: [503]},
}


@router.get("/metrics", operation_id="getMetrics", summary="Show all numbers to Prometheus", **_metrics)
async def get_metrics(request: Request) -> Response:
    """Return numbers of executions, plugins, the event loop, breakers, batches and deliveries.

    Labels are bounded: what a plugin is called, its kind and version, states and outcomes.
    """
    host = host_of(request)
    handlers = [each.id for each in host.plugins.list() if each.kind == KIND]
    families = (
        *_host_families(host),
        *host.oversight.families(),
        *breaker_families(_breakers(host)),
        *fallback_families(host.routes.fallbacks()),
        *host.batches.families(),
        *await host.outbox.families(handlers),
    )
    text = render(families)
    return Response(text, headers={"content-type": CONTENT_TYPE, "cache-control": "no-store"})


def _host_families(host: Hotplane) -> Iterator[Family]:
    stats = cast("Mapping[str, Any]", host.stats())
    done: Mapping[str, int] = stats["executions"]
    yield Family(
        name="hotplane_executions_total",
        help="Executions that ended, by status.",
        type="counter",
        samples=tuple(Sample(done.get(each, 0), {"status": each}) for each in ExecutionStatus),
    )
    yield _gauge("hotplane_executions_in_flight", "Executions that run now.", stats["in_flight"])
    yield _gauge("hotplane_stuck_threads", "Threads that hang in code which overran its time.", stats["stuck_threads"])
    yield _gauge("hotplane_uptime_seconds", "Time since the host was started.", stats["uptime_seconds"])
    states = Counter(each.state for each in host.plugins.list())
    yield Family(
        name="hotplane_plugins",
        help="Plugins, by where they are in their life.",
        type="gauge",
        samples=tuple(Sample(states[each], {"state": each}) for each in PluginState),
    )


def _breakers(host: Hotplane) -> Iterator[Guarded]:
    yield from (("runner", each) for each in host.routes.breakers())
    yield from (("destination", each) for each in host.outbox.breakers())


def _gauge(name: str, help: str, value: float) -> Family:
    return Family(name=name, help=help, type="gauge", samples=(Sample(value),))
