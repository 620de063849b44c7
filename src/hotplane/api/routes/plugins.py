"""The plugins of a host. Imports only lower rooms and `hotplane.api`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec.structs import asdict
from pydantic import BaseModel, ConfigDict, Field

from hotplane.api.answers import Items, LoadBody, PluginLine, PluginView, PriorityBody, answer, body_of, host_of
from hotplane.api.bodies import Body
from hotplane.api.describe import described
from hotplane.api.ongoing import WaitQuery, operate
from hotplane.api.operations import Operation
from hotplane.host import PluginStatus, Refreshed
from hotplane.records import PluginState
from hotplane.values import Json

__all__ = ["router"]

router = APIRouter(prefix="/api/plugins", tags=["plugins"])
_PRIORITY = Body(PriorityBody)
_LOAD = Body(LoadBody)
_CONFIGURATION = Body[dict[str, Json]](dict[str, Json])

_BEGUN: Any = {202: ("It goes on; `Location` is where to ask how far it has come.", Operation)}
_BODY = (400, 413, 415, 422)

_list: Any = described(Items[PluginLine], problems=(422,), example="plugins")
_one: Any = described(PluginView, problems=(404,), example="plugin-view")
_switch: Any = described(PluginStatus, problems=(404, 409, 422, 503, 507), example="plugin")
_operation: Any = described(PluginStatus, problems=(404, 409, 422, 503, 507), others=_BEGUN, example="plugin")
_removal: Any = described(None, status=204, problems=(404, 409, 422, 503, 507), others=_BEGUN)
_loading: Any = described(PluginStatus, body=LoadBody, problems=(*_BODY, 409, 503), others=_BEGUN, example="plugin")
_refresh: Any = described(Items[Refreshed], problems=(422, 503), others=_BEGUN, example="refreshed")
_configuration: Any = described(
    PluginStatus,
    body=dict[str, Json],
    body_example="configuration",
    problems=(*_BODY, 404, 409, 503, 507),
    others=_BEGUN,
    example="plugin",
)
_priority: Any = described(PluginStatus, body=PriorityBody, problems=(*_BODY, 404, 503, 507), example="plugin")


class PluginQuery(BaseModel):
    """Which plugins."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[PluginState | None, Field(description="Where they are in their life.")] = None
    kind: Annotated[str | None, Field(description="What they are for, such as `validator`.")] = None
    include_health: Annotated[bool, Field(description="Whether each has its health report.")] = False


class CascadeQuery(BaseModel):
    """What is to happen to others."""

    model_config = ConfigDict(extra="forbid")

    cascade: Annotated[
        bool, Field(description="Whether it is done to the plugins that need this one, too; else it is refused.")
    ] = False


class StopQuery(WaitQuery, CascadeQuery):
    """How to stop."""


@router.get("", operation_id="listPlugins", summary="List the plugins", **_list)
async def list_plugins(request: Request, query: Annotated[PluginQuery, Query()]) -> Response:
    """Return every plugin, loaded or not, with the reason where it is not active."""
    host = host_of(request)
    kind = query.kind.lower().replace("_", "-") if query.kind is not None else None
    chosen = (
        status
        for status in host.plugins.list()
        if (query.state is None or status.state is query.state) and (kind is None or status.kind == kind)
    )
    if not query.include_health:
        return answer(Items(tuple(chosen)))
    return answer(Items(tuple(PluginLine(**asdict(each), health=host.oversight.report(each.id)) for each in chosen)))


@router.post("", operation_id="loadPlugin", summary="Load a plugin", **_loading)
async def load_plugin(request: Request, query: Annotated[WaitQuery, Query()]) -> Response:
    """Take a plugin in from a file or package, or by `module:Class`, and start it.

    The configuration file has to allow it, by `plugins.directories` or `plugins.paths`. A file that is loaded already
    is reloaded. One that does not start stays listed with the reason, until it is removed.
    """
    body = await body_of(request, _LOAD)
    work = body.load_into(host_of(request).plugins)
    return await operate(request, "load", work, plugin_id=body.id, wait=query.wait)


@router.post("/system/reload", operation_id="reloadChanged", summary="Reload what has changed", **_refresh)
async def reload_changed(request: Request, query: Annotated[WaitQuery, Query()]) -> Response:
    """Take in what is new in the plugin directories, and reload every plugin whose files have changed.

    The result tells of each plugin that is loaded from files what came of it; one that fails does not keep the others.
    """
    return await operate(request, "reload-changed", _refreshed(request), wait=query.wait)


@router.get("/{plugin_id}", operation_id="getPlugin", summary="Show a plugin", **_one)
async def get_plugin(request: Request, plugin_id: str) -> Response:
    """Return a plugin with its numbers by version, its health, and the JSON Schema of its configuration."""
    host = host_of(request)
    return answer(
        PluginView(
            **asdict(host.plugins.get(plugin_id)),
            config_schema=host.plugins.config_schema(plugin_id),
            health=host.oversight.report(plugin_id),
            versions=host.plugins.stats(plugin_id),
        )
    )


@router.delete("/{plugin_id}", operation_id="removePlugin", summary="Remove a plugin", **_removal)
async def remove_plugin(request: Request, plugin_id: str, query: Annotated[StopQuery, Query()]) -> Response:
    """Unload a plugin and forget it, with what was changed of it here.

    One that the configuration file names can only be stopped or disabled. A file is not touched: when it changes, or
    the host starts again, its plugin comes back.
    """
    work = _removed(request, plugin_id, query.cascade)
    return await operate(request, "remove", work, plugin_id=plugin_id, wait=query.wait)


@router.post("/{plugin_id}/enable", operation_id="enablePlugin", summary="Switch a plugin on", **_switch)
async def enable_plugin(request: Request, plugin_id: str) -> Response:
    """Put a plugin into its kind's chain, and load it where it is not loaded; kept over restarts."""
    return answer(await host_of(request).plugins.enable(plugin_id))


@router.post("/{plugin_id}/disable", operation_id="disablePlugin", summary="Switch a plugin off", **_switch)
async def disable_plugin(request: Request, plugin_id: str, query: Annotated[CascadeQuery, Query()]) -> Response:
    """Take a plugin out of its kind's chain; it stays loaded. Kept over restarts."""
    return answer(await host_of(request).plugins.disable(plugin_id, cascade=query.cascade))


@router.post("/{plugin_id}/start", operation_id="startPlugin", summary="Start a plugin", **_operation)
async def start_plugin(request: Request, plugin_id: str, query: Annotated[WaitQuery, Query()]) -> Response:
    """Load and start a plugin; one that is active stays as it is."""
    work = host_of(request).plugins.start(plugin_id)
    return await operate(request, "start", work, plugin_id=plugin_id, wait=query.wait)


@router.post("/{plugin_id}/stop", operation_id="stopPlugin", summary="Stop a plugin", **_operation)
async def stop_plugin(request: Request, plugin_id: str, query: Annotated[StopQuery, Query()]) -> Response:
    """Stop and unload a plugin; it keeps its place and can be started again."""
    work = host_of(request).plugins.stop(plugin_id, cascade=query.cascade)
    return await operate(request, "stop", work, plugin_id=plugin_id, wait=query.wait)


@router.post("/{plugin_id}/restart", operation_id="restartPlugin", summary="Restart a plugin", **_operation)
async def restart_plugin(request: Request, plugin_id: str, query: Annotated[WaitQuery, Query()]) -> Response:
    """Stop a plugin and start it anew, from its file where it has one."""
    work = host_of(request).plugins.restart(plugin_id)
    return await operate(request, "restart", work, plugin_id=plugin_id, wait=query.wait)


@router.post("/{plugin_id}/reload", operation_id="reloadPlugin", summary="Reload a plugin", **_operation)
async def reload_plugin(request: Request, plugin_id: str, query: Annotated[WaitQuery, Query()]) -> Response:
    """Put a new generation in the place of the one that serves, without a moment in between.

    When the new one does not come up, the old one serves on, and the problem says why.
    """
    work = host_of(request).plugins.reload(plugin_id)
    return await operate(request, "reload", work, plugin_id=plugin_id, wait=query.wait)


@router.put("/{plugin_id}/config", operation_id="configurePlugin", summary="Configure a plugin", **_configuration)
async def configure_plugin(request: Request, plugin_id: str, query: Annotated[WaitQuery, Query()]) -> Response:
    """Give a plugin another configuration: the whole of it, as a JSON object. Kept over restarts.

    It is checked before anything changes. A plugin takes it in itself, or a new generation comes up with it.
    """
    configuration = await body_of(request, _CONFIGURATION)
    await host_of(request).webhooks.check_place(plugin_id, configuration)
    work = host_of(request).plugins.reconfigure(plugin_id, configuration)
    return await operate(request, "configure", work, plugin_id=plugin_id, wait=query.wait)


@router.put("/{plugin_id}/priority", operation_id="setPluginPriority", summary="Move a plugin", **_priority)
async def set_priority(request: Request, plugin_id: str) -> Response:
    """Move a plugin within its kind's chain: higher runs earlier. Kept over restarts."""
    body = await body_of(request, _PRIORITY)
    return answer(await host_of(request).plugins.set_priority(plugin_id, body.priority))


@router.delete("/{plugin_id}/override", operation_id="resetPlugin", summary="Undo changes of a plugin", **_switch)
async def reset_plugin(request: Request, plugin_id: str) -> Response:
    """Forget what was changed here of a plugin: the configuration holds again."""
    host = host_of(request)
    status = await host.plugins.reset(plugin_id)
    host.webhooks.settle()
    return answer(status)


async def _refreshed(request: Request) -> Items[Refreshed]:
    return Items(await host_of(request).reload_plugins())


async def _removed(request: Request, plugin_id: str, cascade: bool) -> None:
    host = host_of(request)
    if host.webhooks.was_made(plugin_id):
        await host.webhooks.remove(plugin_id)
    else:
        await host.plugins.remove(plugin_id, cascade=cascade)
    host.oversight.health.forget(plugin_id)
