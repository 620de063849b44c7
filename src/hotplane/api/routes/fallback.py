"""Where a runner's work goes, and the operator's hand on it. Imports only lower rooms and `hotplane.api`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Struct

from hotplane.api.answers import answer, body_of, host_of
from hotplane.api.bodies import Body
from hotplane.api.describe import described
from hotplane.routing import FallbackStatus, FallbackTest

__all__ = ["router"]

router = APIRouter(prefix="/api/plugins/{plugin_id}/fallback", tags=["fallback"])


class StrategyBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is to take over."""

    strategy: str | None = None
    """The runner that goes first among those behind it, such as `http` or `local`; null for the order of its routes."""


_STRATEGY = Body(StrategyBody)
_status: Any = described(FallbackStatus, problems=(404, 409), example="fallback-status")
_activate: Any = described(
    FallbackStatus, body=StrategyBody, problems=(400, 404, 409, 413, 415, 422), example="fallback-status"
)
_test: Any = described(FallbackTest, problems=(404, 409), example="fallback-test")


@router.get("/status", operation_id="getFallback", summary="Show where a runner's work goes", **_status)
async def get_fallback(request: Request, plugin_id: str) -> Response:
    """Return whether the runner, the runners behind it, or nobody takes its work, and the state of its breaker."""
    return answer(host_of(request).routes.status(plugin_id))


@router.post("/activate", operation_id="activateFallback", summary="Send a runner's work elsewhere", **_activate)
async def activate_fallback(request: Request, plugin_id: str) -> Response:
    """Force the runner's breaker open, until `deactivate`; refused where nobody could take over."""
    body = await body_of(request, _STRATEGY)
    return answer(host_of(request).routes.activate(plugin_id, body.strategy))


@router.post("/deactivate", operation_id="deactivateFallback", summary="Give a runner its work back", **_status)
async def deactivate_fallback(request: Request, plugin_id: str) -> Response:
    """Close the runner's breaker, whyever it was open."""
    return answer(host_of(request).routes.deactivate(plugin_id))


@router.post("/test", operation_id="testFallback", summary="Ask who would take over", **_test)
async def probe_fallback(request: Request, plugin_id: str) -> Response:
    """Ask the runners behind this one for their health, without sending work to any."""
    return answer(await host_of(request).routes.test(plugin_id))
