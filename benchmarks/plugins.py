"""What plugins cost that a call does not go through: fifty others beside it, or one of its kind that is disabled.

Run ``python -m benchmarks.plugins``. Chains are measured alone, and executions through whole hosts with their stores;
the sides are interleaved. The goals are ratios: 1.00 but for noise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from benchmarks.board import Row, at_most, print_table, row
from hotplane import Hotplane, Plugin, PluginMetadata, ValidationResult, Validator
from hotplane.registry import Registry

OTHERS = 50
CHAIN_CALLS = 5_000
EXECUTIONS = 200
NOISE = at_most(1.05)


def echo(value: Any) -> Any:
    return value


class Judge(Validator):
    metadata = PluginMetadata(name="judge", version="1")

    async def validate(self, execution: Any, context: Any) -> ValidationResult:
        return ValidationResult(valid=True)


class Idle(Judge):
    metadata = PluginMetadata(name="idle", version="1")


class Other(Plugin):
    """A kind of its own: no execution calls it."""

    metadata = PluginMetadata(name="other", version="1")

    async def greet(self) -> str:
        return "hello"


def registry_with(*, others: int = 0, disabled: int = 0) -> Registry:
    registry = Registry()
    registry.register(Judge())
    for number in range(others):
        registry.register(Other(), id=f"other-{number}")
    for number in range(disabled):
        registry.register(Idle(), id=f"idle-{number}", enabled=False)
    return registry


async def chain_calls(registry: Registry) -> float:
    """Return nanoseconds for a call of the validators' chain, obtaining it included."""
    started = perf_counter()
    for _ in range(CHAIN_CALLS):
        await registry.chains[Validator].run_async(1, 2)
    return (perf_counter() - started) / CHAIN_CALLS * 1e9


async def host_with(folder: Path, name: str, *, others: int = 0, disabled: int = 0) -> Hotplane:
    """Return a host, started, with one validator that runs on every execution."""
    host = Hotplane.from_config(
        {
            "storage": {"url": str(folder / f"{name}.db")},
            "programs": {"allow": ["benchmarks.plugins"]},
            "tasks": {"echo": {"program": "benchmarks.plugins:echo", "sampling_rate": 1.0}},
            "plugins": {"samplers": [{"name": "percentage-sampler"}]},
        }
    )
    host.register(Judge)
    for number in range(others):
        host.register(Other, id=f"other-{number}")
    for number in range(disabled):
        host.register(Idle, id=f"idle-{number}")
    await host.start()
    for number in range(disabled):
        await host.plugins.disable(f"idle-{number}")  # loaded, started, and in no chain
    return host


async def executions(host: Hotplane) -> float:
    """Return microseconds for an execution, its record on the disk."""
    started = perf_counter()
    for _ in range(EXECUTIONS):
        await host.execute("echo", 1)
    return (perf_counter() - started) / EXECUTIONS * 1e6


async def interleaved(rounds: int, *measures: Callable[[], Awaitable[float]]) -> list[list[float]]:
    """Do what `board.interleave` does, in one event loop: the hosts live in it."""
    taken: list[list[float]] = [[] for _ in measures]
    for number in range(rounds):
        order = list(enumerate(measures))
        for index, each in order if number % 2 == 0 else reversed(order):
            taken[index].append(await each())
    return taken


async def chain_rows(rounds: int) -> list[Row]:
    alone, beside = registry_with(), registry_with(others=OTHERS)
    disabled = registry_with(disabled=1)
    sides = [lambda each=each: chain_calls(each) for each in (beside, alone, disabled)]
    taken = await interleaved(rounds, *sides)
    return [
        row(f"a validator's call, {OTHERS} other plugins loaded", "ns", taken[0], "the plugin alone", taken[1], NOISE),
        row("a validator's call, another one disabled", "ns", taken[2], "the plugin alone", taken[1], NOISE),
    ]


async def host_rows(rounds: int) -> list[Row]:
    with TemporaryDirectory() as folder:
        async with AsyncExitStack() as hosts:
            started: list[Hotplane] = []
            for name, options in {"beside": {"others": OTHERS}, "alone": {}, "disabled": {"disabled": 1}}.items():
                host = await host_with(Path(folder), name, **options)
                hosts.push_async_callback(host.stop)
                started.append(host)
            taken = await interleaved(rounds, *(lambda each=each: executions(each) for each in started))
    return [
        row(f"an execution, {OTHERS} other plugins loaded", "µs", taken[0], "a host without them", taken[1], NOISE),
        row("an execution, a validator disabled", "µs", taken[2], "a host without it", taken[1], NOISE),
    ]


async def measured(rounds: int) -> list[Row]:
    return [*await chain_rows(rounds), *await host_rows(rounds)]


def measure(rounds: int = 41) -> list[Row]:
    return asyncio.run(measured(rounds))


if __name__ == "__main__":
    print_table(measure())
