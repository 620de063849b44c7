"""Whole hosts on real stores, with programs that say when they run."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import ModuleType

import pytest

from hotplane import Hotplane
from hotplane.execution.batch import BatchOptions, BatchStatus, NewItem
from tests.integration.storage.conftest import postgres, url

__all__ = ["postgres", "url"]

PROGRAMS = """
import asyncio

ran = []
opened = asyncio.Event()


async def echo(value):
    ran.append(value)
    return value


async def gated(value):
    ran.append(value)
    await opened.wait()
    return value


async def odd_ones_fail(value):
    ran.append(value)
    if value % 2:
        raise ValueError("odd")
    return value


async def hang_on_three(value):
    if value == 3:
        await asyncio.Event().wait()
    return value
"""


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[str]:
    """Write a module of programs and return its name."""
    name = f"batched_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(PROGRAMS)
    yield name
    sys.modules.pop(name, None)
    sys.path[:] = [entry for entry in sys.path if entry != str(tmp_path)]


@pytest.fixture
def module(programs: str) -> Callable[[], ModuleType]:
    """Return the module of programs, once it was imported."""
    return lambda: sys.modules[programs]


@pytest.fixture
def build(tmp_path: Path, programs: str, url: str) -> Callable[..., Hotplane]:
    """Return a function that builds a host with a task for every program; each is idempotent unless named `once-…`."""

    def made(**sections: object) -> Hotplane:
        names = ("echo", "gated", "odd_ones_fail", "hang_on_three")
        tasks: list[dict[str, object]] = []
        for name in names:
            task = {"program": f"{programs}:{name}", "timeout_ms": 600_000, "sampling_rate": 1.0}
            tasks.append({"id": name, "idempotent": True, **task})
            tasks.append({"id": f"once-{name}", "idempotent": False, **task})
        return Hotplane.from_config(
            {
                "storage": {"url": url},
                "programs": {"allow": [programs], "paths": [str(tmp_path)]},
                "plugins": {
                    "samplers": [{"name": "percentage-sampler"}],
                    "validators": [{"name": "json-schema-validator"}],
                    "call_timeout_ms": 60_000,
                },
                "tasks": tasks,
                **sections,
            }
        )

    return made


@pytest.fixture
async def host(build: Callable[..., Hotplane]) -> AsyncIterator[Hotplane]:
    """A running host."""
    async with build() as running:
        yield running


def items(count: int, first: int = 1) -> Sequence[NewItem]:
    """Return items whose input is their position."""
    return [NewItem(position=n, item_id=f"i{n}", input=n) for n in range(first, first + count)]


async def submit(host: Hotplane, task_id: str, count: int, **options: object) -> BatchStatus:
    """Submit a sealed batch of `count` items."""
    made = await host.batches.create(BatchOptions(task_id=task_id, **options))  # pyright: ignore[reportArgumentType]
    await host.batches.add(made.id, items(count))
    return await host.batches.seal(made.id)


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is in a program and tells nobody
            await asyncio.sleep(0.005)


@asynccontextmanager
async def restarted(build: Callable[..., Hotplane], before: Hotplane) -> AsyncGenerator[Hotplane]:
    """Stop a host at once, and run another one on the same store."""
    await before.stop(grace=0.0)
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(build())
