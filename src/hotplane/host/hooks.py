"""Calling a plugin's hooks: sync ones in a thread, async ones in a task, each within a limit that is kept.

Imports only `plugins`, `registry` (for the offload's protocol) and `errors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any, cast

from hotplane.errors import PluginTimeout
from hotplane.plugins import Plugin
from hotplane.registry import Offload

__all__ = ["call_hook", "has_hook"]

_CLEANUP_SECONDS = 0.1


def has_hook(plugin: Plugin[Any], hook: str) -> bool:
    """Tell whether `plugin` defines `hook`."""
    return callable(getattr(plugin, hook, None))


async def call_hook(plugin: Plugin[Any], hook: str, *args: object, limit: float, offload: Offload) -> Any:
    """Call a hook and return what it returns; None where the plugin has no such hook.

    Args:
        plugin: Whose hook it is.
        hook: The hook's name.
        args: Its arguments.
        limit: Seconds. A sync hook that takes longer is abandoned in its thread; an async one is cancelled, and
            abandoned when it goes on all the same.
        offload: Runs sync hooks.

    Raises:
        PluginTimeout: The limit passed.
        BaseException: Whatever the hook raised.
    """
    function: Callable[..., Any] | None = getattr(plugin, hook, None)
    if function is None:
        return None
    ends_at = asyncio.get_running_loop().time() + limit
    if not iscoroutinefunction(function):
        try:
            result: Any = await offload(function, *args, timeout=limit)
        except TimeoutError:
            if asyncio.get_running_loop().time() < ends_at:
                raise
            raise PluginTimeout(plugin.id, hook, limit) from None
        if not hasattr(result, "__await__"):
            return result
        running: asyncio.Future[Any] = asyncio.ensure_future(cast("Awaitable[Any]", result))
    else:
        running = asyncio.ensure_future(cast("Awaitable[Any]", function(*args)))
    return await _within(running, plugin, hook, limit, ends_at)


async def _within(running: asyncio.Future[Any], plugin: Plugin[Any], hook: str, limit: float, ends_at: float) -> Any:
    loop = asyncio.get_running_loop()
    try:
        await asyncio.wait({running}, timeout=max(0.0, ends_at - loop.time()))
        if running.done():
            return running.result()
        running.cancel()
        await asyncio.wait({running}, timeout=_CLEANUP_SECONDS)
    finally:
        running.cancel()
        running.add_done_callback(_forget)
    raise PluginTimeout(plugin.id, hook, limit)


def _forget(ended: asyncio.Future[Any]) -> None:
    """Fetch a late result, so that asyncio does not report an exception that nobody waits for."""
    if not ended.cancelled():
        ended.exception()
