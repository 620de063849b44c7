"""The health of plugins, and of all of them together. Imports only lower rooms and `hotplane.api`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Struct
from msgspec.structs import asdict

from hotplane.api.answers import Items, answer, host_of
from hotplane.api.describe import described
from hotplane.host import HealthReport, HealthState, HealthSummary, PluginStatus
from hotplane.records import PluginState

__all__ = ["FailedPlugin", "HealthOverview", "router"]

router = APIRouter(prefix="/api/plugins", tags=["health"])


class FailedPlugin(Struct, frozen=True, kw_only=True):
    """A plugin that does not serve, though it should."""

    plugin_id: str
    reason: str | None
    since: datetime
    retry_at: datetime | None
    """When it is started again; null where nothing is planned."""


class HealthOverview(HealthSummary, frozen=True, kw_only=True):
    """The health of all plugins at a glance; `status` is unhealthy as soon as one failed."""

    states: Mapping[str, int]
    """How many plugins are in each state of their life."""
    failed: tuple[FailedPlugin, ...]


_all: Any = described(Items[HealthReport], example="health-reports")
_summary: Any = described(HealthOverview, example="health-overview")
_one: Any = described(HealthReport, problems=(404,), example="health-report")


@router.get("/health", operation_id="listHealth", summary="List the health of the plugins", **_all)
async def list_health(request: Request) -> Response:
    """Return the health of every plugin, active or not, by id."""
    host = host_of(request)
    return answer(Items(tuple(host.oversight.report(each) for each in sorted(one.id for one in host.plugins.list()))))


@router.get("/health/summary", operation_id="getHealthSummary", summary="Sum up the plugins' health", **_summary)
async def get_summary(request: Request) -> Response:
    """Return how many plugins are how healthy, the worst first, and which have failed."""
    host = host_of(request)
    summary, statuses = host.oversight.health.summary(), host.plugins.list()
    failed = tuple(_failed(each) for each in statuses if each.state is PluginState.FAILED)
    fields = asdict(summary)
    if failed:
        fields["status"] = HealthState.UNHEALTHY
    states = Counter(str(each.state) for each in statuses)
    return answer(HealthOverview(**fields, states=states, failed=failed))


@router.get("/{plugin_id}/health", operation_id="getHealth", summary="Show a plugin's health", **_one)
async def get_health(request: Request, plugin_id: str) -> Response:
    """Return a plugin's health: its state, the latest checks, their success rate and response times."""
    return answer(host_of(request).oversight.report(plugin_id))


@router.post("/{plugin_id}/health/check", operation_id="checkHealth", summary="Check a plugin's health", **_one)
async def check_health(request: Request, plugin_id: str) -> Response:
    """Check a plugin now; it counts like any other check. One that is not active is only reported."""
    return answer(await host_of(request).oversight.check(plugin_id))


def _failed(status: PluginStatus) -> FailedPlugin:
    return FailedPlugin(plugin_id=status.id, reason=status.reason, since=status.since, retry_at=status.retry_at)
