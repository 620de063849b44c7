"""The plugins of a host. Imports only lower rooms and `hotplane.api`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec.structs import asdict
from pydantic import BaseModel, ConfigDict, Field

from hotplane.api.answers import Items, PluginView, PriorityBody, answer, body_of, host_of
from hotplane.api.bodies import Body
from hotplane.api.describe import described
from hotplane.host import PluginStatus
from hotplane.records import PluginState

__all__ = ["router"]

router = APIRouter(prefix="/api/plugins", tags=["plugins"])
_PRIORITY = Body(PriorityBody)

_list: Any = described(Items[PluginStatus], problems=(422,), example="plugins")
_one: Any = described(PluginView, problems=(404,), example="plugin-view")
_operation: Any = described(PluginStatus, problems=(404, 409, 503, 507), example="plugin")
_priority: Any = described(
    PluginStatus, body=PriorityBody, problems=(400, 404, 413, 415, 422, 503, 507), example="plugin"
)


class PluginQuery(BaseModel):
    """Which plugins."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[PluginState | None, Field(description="Where they are in their life.")] = None
    kind: Annotated[str | None, Field(description="What they are for, such as `validator`.")] = None
    include_health: Annotated[
        bool, Field(description="Accepted, and without effect while the host keeps no health of plugins.")
    ] = False


@router.get("", operation_id="listPlugins", summary="List the plugins", **_list)
async def list_plugins(request: Request, query: Annotated[PluginQuery, Query()]) -> Response:
    """Return every plugin, loaded or not, with the reason where it is not active."""
    found = host_of(request).plugins.list()
    kind = query.kind.lower().replace("_", "-") if query.kind is not None else None
    chosen = (
        status
        for status in found
        if (query.state is None or status.state is query.state) and (kind is None or status.kind == kind)
    )
    return answer(Items(tuple(chosen)))


@router.get("/{plugin_id}", operation_id="getPlugin", summary="Show a plugin", **_one)
async def get_plugin(request: Request, plugin_id: str) -> Response:
    """Return a plugin with its numbers, what was changed of it here, and the JSON Schema of its configuration."""
    plugins = host_of(request).plugins
    return answer(PluginView(**asdict(plugins.get(plugin_id)), config_schema=plugins.config_schema(plugin_id)))


@router.post("/{plugin_id}/enable", operation_id="enablePlugin", summary="Switch a plugin on", **_operation)
async def enable_plugin(request: Request, plugin_id: str) -> Response:
    """Put a plugin into its kind's chain, and load it where it is not loaded; kept over restarts."""
    return answer(await host_of(request).plugins.enable(plugin_id))


@router.post("/{plugin_id}/disable", operation_id="disablePlugin", summary="Switch a plugin off", **_operation)
async def disable_plugin(request: Request, plugin_id: str) -> Response:
    """Take a plugin out of its kind's chain; it stays loaded. Kept over restarts."""
    return answer(await host_of(request).plugins.disable(plugin_id))


@router.post("/{plugin_id}/start", operation_id="startPlugin", summary="Start a plugin", **_operation)
async def start_plugin(request: Request, plugin_id: str) -> Response:
    """Load and start a plugin; one that is active stays as it is."""
    return answer(await host_of(request).plugins.start(plugin_id))


@router.post("/{plugin_id}/stop", operation_id="stopPlugin", summary="Stop a plugin", **_operation)
async def stop_plugin(request: Request, plugin_id: str) -> Response:
    """Stop and unload a plugin; it keeps its place and can be started again."""
    return answer(await host_of(request).plugins.stop(plugin_id))


@router.post("/{plugin_id}/restart", operation_id="restartPlugin", summary="Restart a plugin", **_operation)
async def restart_plugin(request: Request, plugin_id: str) -> Response:
    """Stop a plugin and start it anew."""
    return answer(await host_of(request).plugins.restart(plugin_id))


@router.put("/{plugin_id}/priority", operation_id="setPluginPriority", summary="Move a plugin", **_priority)
async def set_priority(request: Request, plugin_id: str) -> Response:
    """Move a plugin within its kind's chain: higher runs earlier. Kept over restarts."""
    body = await body_of(request, _PRIORITY)
    return answer(await host_of(request).plugins.set_priority(plugin_id, body.priority))


@router.delete("/{plugin_id}/override", operation_id="resetPlugin", summary="Undo changes of a plugin", **_operation)
async def reset_plugin(request: Request, plugin_id: str) -> Response:
    """Forget what was changed here of a plugin: the configuration holds again."""
    return answer(await host_of(request).plugins.reset(plugin_id))
