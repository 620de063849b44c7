"""A compiled chain: the enabled, active plugins of a kind with their bound methods, limits and counters.

Imports only `plugins`, `errors` and `values`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from time import perf_counter_ns
from types import CoroutineType
from typing import Any, Generic, Protocol, TypeVar, cast

from msgspec import Struct

from hotplane.errors import PluginTimeout
from hotplane.plugins import Plugin
from hotplane.registry.driving import LimitExceededError, finish
from hotplane.registry.stats import PluginStats
from hotplane.registry.turns import Turns

__all__ = ["Chain", "Failure", "Link", "Offload"]

P = TypeVar("P", bound="Plugin[Any]")

_COROUTINE: Any = CoroutineType
_RESOLUTION = 0.002
"""Timers of event loops may be this many seconds early."""


class Offload(Protocol):
    """Runs a sync call that may block in a thread, for at most `timeout` seconds."""

    async def __call__(self, function: Callable[..., object], *args: object, timeout: float | None) -> object:
        """Return what `function` returns; raise TimeoutError when it takes too long."""
        ...


class Failure(Struct, frozen=True):
    """What a plugin's call came to when it raised or ran out of time; it stands in for the result."""

    plugin_id: str
    error: BaseException
    timed_out: bool = False

    @property
    def reason(self) -> str:
        """Say in one line what went wrong."""
        if isinstance(self.error, PluginTimeout):
            return str(self.error)
        return f"{type(self.error).__name__}: {self.error}"


class Link(Generic[P]):
    """One plugin in a chain."""

    __slots__ = (
        "call",
        "generation",
        "limit",
        "offload",
        "on_error",
        "on_fail",
        "plugin",
        "plugin_id",
        "stats",
        "turns",
        "version",
    )

    def __init__(
        self,
        plugin: P,
        *,
        plugin_id: str,
        stats: PluginStats,
        limit: float | None = None,
        generation: int = 1,
        on_error: str | None = None,
        on_fail: str | None = None,
        offload: Offload | None = None,
        turns: Turns | None = None,
    ) -> None:
        self.plugin = plugin
        self.plugin_id = plugin_id
        self.call = cast("Callable[..., Any]", getattr(plugin, type(plugin).method))
        self.stats = stats
        self.limit = limit
        self.generation = generation
        self.version = plugin.version
        self.on_error = on_error
        self.on_fail = on_fail or "record"
        self.offload = offload if type(plugin).blocking else None
        self.turns = turns

    async def invoke(self, *args: object, limit: float | None = None) -> Any:
        """Call the plugin, isolated: errors and overrun become a `Failure`, and every call is counted.

        Args:
            args: The arguments of the kind's method.
            limit: Seconds that the caller has left. The plugin's own limit holds where it is shorter; a call that
                needs a thread may wait for one meanwhile, and only then its own limit begins.
        """
        patience = self.limit if limit is None else limit
        if limit is None or (self.limit is not None and self.limit < limit):
            limit = self.limit
        started = perf_counter_ns()
        try:
            if self.offload is None:
                result: Any = self.call(*args)
                if limit is None and hasattr(result, "__await__"):
                    result = await result
                elif hasattr(result, "__await__"):
                    running: Coroutine[Any, Any, Any] = result if type(result) is _COROUTINE else _awaiting(result)
                    try:
                        waiting_for = running.send(None)
                    except StopIteration as done:
                        result = done.value
                    else:
                        result = await finish(running, waiting_for, limit)
            else:
                result = await self._in_thread(self.offload, args, limit, patience)
        except LimitExceededError:
            result = self._overran(limit)
        except BaseException as error:
            if _is_for_the_host(error):
                raise
            result = self._failed(error)
        elapsed = perf_counter_ns() - started
        stats = self.stats
        stats.buckets[elapsed.bit_length()] += 1
        stats.total_ns += elapsed
        return result

    async def _in_thread(
        self, offload: Offload, args: tuple[object, ...], limit: float | None, patience: float | None
    ) -> object:
        """Call the plugin in a thread, when it is its turn; return what it returns, or a `Failure` if that is late."""
        if self.turns is None:
            return await self._offloaded(offload, args, limit)
        try:
            async with self.turns.one(patience) as left:
                return await self._offloaded(
                    offload, args, limit if left is None or limit is None else min(limit, left)
                )
        except LimitExceededError:
            why = f"no thread was free within {patience or 0:g} s; blocking plugins share {self.turns.places}"
            return Failure(self.plugin_id, TimeoutError(why), True)

    async def _offloaded(self, offload: Offload, args: tuple[object, ...], limit: float | None) -> object:
        started = perf_counter_ns()
        try:
            return await offload(self.call, *args, timeout=limit)
        except TimeoutError:
            # Its own, unless the time is up.
            if perf_counter_ns() - started < ((limit or 0) - _RESOLUTION) * 1e9:
                raise
            return self._overran(limit)

    def _failed(self, error: BaseException) -> Failure:
        if not isinstance(error, type(self.plugin).outcomes):
            self.stats.errors += 1
        return Failure(self.plugin_id, error)

    def _overran(self, limit: float | None) -> Failure:
        self.stats.errors += 1
        self.stats.timeouts += 1
        return Failure(self.plugin_id, PluginTimeout(self.plugin_id, type(self.plugin).method, limit or 0), True)


class Chain(Generic[P]):
    """The links of a kind, in the order in which they run.

    The links never change; a change of the registry compiles another chain. `users` counts who is on it, so that
    a plugin that left is stopped only when nobody can call it any more. Who comes counts first and looks at
    `retired` then; the registry retires first and looks at `users` then: one of them sees the other, also across
    threads. (`users += 1` itself is atomic: the interpreter switches threads at calls and jumps alone.)

    Args:
        links: In order.
        successor: Gives the chain of the same kind that is current; needed once this one is retired.
    """

    __slots__ = ("__weakref__", "_calls", "_successor", "gates", "links", "retired", "users")

    def __init__(self, links: tuple[Link[P], ...], successor: Callable[[], Chain[P]] | None = None) -> None:
        self.links = links
        self.gates = tuple(link for link in links if link.on_fail != "record")
        """The links whose verdict has a consequence for the caller, so that they run on every execution."""
        self.users = 0
        self.retired = False
        """Whether a plugin of it has left: new runs go to the current chain."""
        self._successor = successor
        self._calls = tuple((link.call, link.stats, link) for link in links)

    def __len__(self) -> int:
        return len(self.links)

    def run(self, *args: object) -> list[Any]:
        """Call every link with the same arguments, all of them sync, and return a result or a `Failure` each."""
        self.users += 1
        if self.retired:
            return self._handed_on().run(*args)
        results: list[Any] = []
        started = perf_counter_ns()
        try:
            for call, stats, link in self._calls:
                try:
                    result = call(*args)
                except BaseException as error:
                    if _is_for_the_host(error):
                        raise
                    stats.errors += 1
                    result = Failure(link.plugin_id, error)
                ended = perf_counter_ns()
                elapsed = ended - started
                started = ended
                stats.buckets[elapsed.bit_length()] += 1
                stats.total_ns += elapsed
                results.append(result)
        finally:
            self.users -= 1
        return results

    async def run_async(self, *args: object) -> list[Any]:
        """Call every link with the same arguments, sync or async, each within its limit; see `run`."""
        self.users += 1
        if self.retired:
            return await self._handed_on().run_async(*args)
        try:
            return [await link.invoke(*args) for link in self.links]
        finally:
            self.users -= 1

    def join(self) -> bool:
        """Take a place on the chain; false, and no place, when it is retired. `leave` gives the place back."""
        self.users += 1
        if self.retired:
            self.users -= 1
            return False
        return True

    def leave(self) -> None:
        """Give a place back."""
        self.users -= 1

    def _handed_on(self) -> Chain[P]:
        """Leave this retired chain for the current one."""
        self.users -= 1
        return self._successor() if self._successor is not None else Chain(())


def _is_for_the_host(error: BaseException) -> bool:
    """Tell a cancellation or an interrupt of the host from an error that is the plugin's own."""
    if isinstance(error, asyncio.CancelledError):
        try:
            task = asyncio.current_task()
        except RuntimeError:
            return False
        return task is not None and task.cancelling() > 0
    return isinstance(error, KeyboardInterrupt)


async def _awaiting(awaitable: Any) -> object:
    return await awaitable
