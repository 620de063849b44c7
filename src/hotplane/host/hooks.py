"""Calling a plugin's hooks: sync ones in a thread, async ones on the loop, each within a limit that is kept.

Imports only `plugins`, `registry` and `errors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any, cast

from hotplane.errors import PluginTimeout
from hotplane.plugins import Plugin
from hotplane.registry import Offload
from hotplane.registry.driving import LimitExceededError, within

__all__ = ["call_hook", "has_hook"]


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
    clock = asyncio.get_running_loop().time
    ends_at = clock() + limit
    try:
        result: Any = (
            function(*args) if iscoroutinefunction(function) else await offload(function, *args, timeout=limit)
        )
        if hasattr(result, "__await__"):
            return await within(max(0.0, ends_at - clock()), cast("Awaitable[Any]", result))
    except LimitExceededError:
        raise PluginTimeout(plugin.id, hook, limit) from None
    except TimeoutError:
        if clock() < ends_at:
            raise
        raise PluginTimeout(plugin.id, hook, limit) from None
    return result
