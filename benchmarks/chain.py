"""A chain of ten validators beside pluggy, stevedore and `asyncio.timeout`, and reading a registry beside a dict.

Run ``python -m benchmarks.chain``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib.metadata import EntryPoint
from time import perf_counter
from timeit import Timer
from typing import Any

import pluggy
from stevedore.extension import Extension, ExtensionManager

from benchmarks.board import Row, at_most, interleave, print_table, row
from hotplane.plugins import Validator
from hotplane.records import PluginMetadata
from hotplane.registry import Registry

LINKS = 10
specification = pluggy.HookspecMarker("benchmark")
implementation = pluggy.HookimplMarker("benchmark")


class Sync(Validator):
    metadata = PluginMetadata(name="sync", version="1")

    def validate(self, execution: Any, context: Any) -> Any:
        return True


class Async(Validator):
    metadata = PluginMetadata(name="async", version="1")

    async def validate(self, execution: Any, context: Any) -> Any:
        return True


class Hooks:
    @specification
    def validate(self, execution: Any, context: Any) -> Any: ...


class Hooked:
    @implementation
    def validate(self, execution: Any, context: Any) -> Any:
        return True


def registry_of(cls: type[Validator], limit: float | None = None) -> Registry:
    registry = Registry()
    for number in range(LINKS):
        registry.register(cls(), id=f"v{number}", limit=limit)
    return registry


def timed(call: Callable[[], object], number: int, scale: float) -> Callable[[], float]:
    timer = Timer(call)
    return lambda: timer.timeit(number) / number * scale


def sync_chain(rounds: int) -> list[Row]:
    chain = registry_of(Sync).chain(Validator)
    manager = pluggy.PluginManager("benchmark")
    manager.add_hookspecs(Hooks)
    for number in range(LINKS):
        manager.register(Hooked(), name=str(number))
    hook = manager.hook
    point = EntryPoint("sync", f"{__name__}:Sync", "benchmark")
    extensions = ExtensionManager.make_test_instance([Extension(f"v{n}", point, Sync, Sync()) for n in range(LINKS)])
    ours = timed(lambda: chain.run(1, 2), 1_000, 1e6)
    peer = timed(lambda: hook.validate(execution=1, context=2), 1_000, 1e6)
    mapped = timed(lambda: extensions.map_method("validate", 1, 2), 1_000, 1e6)
    taken = interleave(rounds, ours, peer, mapped)
    name = "chain of 10 sync validators, with metrics and isolation"
    return [
        row(name, "µs", taken[0], "pluggy", taken[1], at_most(0.6)),
        row(name, "µs", taken[0], "stevedore, map_method", taken[2]),
    ]


def async_chain(rounds: int) -> Row:
    chain = registry_of(Async, limit=1.0).chain(Validator)
    calls: list[Callable[..., Awaitable[object]]] = [link.call for link in chain.links]

    async def bare() -> None:
        for call in calls:
            async with asyncio.timeout(1.0):
                await call(1, 2)

    def taken_by(make: Callable[[], Awaitable[object]]) -> Callable[[], float]:
        async def loop() -> float:
            started = perf_counter()
            for _ in range(500):
                await make()
            return (perf_counter() - started) / 500 * 1e6

        return lambda: asyncio.run(loop())

    taken = interleave(rounds, taken_by(lambda: chain.run_async(1, 2)), taken_by(bare))
    name = "chain of 10 async validators, a limit each"
    return row(name, "µs", taken[0], "asyncio.timeout each", taken[1], at_most(0.25))


def statement(code: str, names: dict[str, object]) -> Callable[[], float]:
    """Time a statement on local variables, the loop around it included, for both sides alike."""
    setup = "; ".join(f"{name} = names[{name!r}]" for name in names)
    timer = Timer(code, setup, globals={"names": names})
    return lambda: timer.timeit(50_000) / 50_000 * 1e9


class Holder:
    """A method that does one dictionary lookup."""

    def __init__(self, held: dict[str, object]) -> None:
        self.held = held

    def get(self, key: str) -> object:
        return self.held[key]


def reading(rounds: int) -> list[Row]:
    registry = registry_of(Sync)
    plain: dict[type, object] = {Validator: 1}
    chain = interleave(
        rounds,
        statement("registry.chains[kind]", {"registry": registry, "kind": Validator}),
        statement("plain[kind]", {"plain": plain, "kind": Validator}),
    )
    resolve = interleave(
        rounds,
        statement("registry.resolve(kind, key)", {"registry": registry, "kind": Validator, "key": "v3"}),
        statement("holder.get(key)", {"holder": Holder({"v3": 1}), "key": "v3"}),
    )
    return [
        row("obtaining the compiled chain", "ns", chain[0], "dict access", chain[1], at_most(2.5)),
        row("resolve(kind, id)", "ns", resolve[0], "method, one dict lookup", resolve[1], at_most(2.0)),
    ]


def measure(rounds: int = 51) -> list[Row]:
    return [*sync_chain(rounds), async_chain(rounds), *reading(rounds)]


if __name__ == "__main__":
    print_table(measure())
