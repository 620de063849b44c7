"""A whole host on a real store, and programs for it to run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hotplane import Hotplane

PROGRAMS = """
import asyncio
import threading
import time

released = threading.Event()
runs = []


def upper(value):
    return value["text"].upper()


async def shout(value):
    await asyncio.sleep(0)
    return value["text"].upper()


def boom(value):
    raise ValueError("bad input")


def leave(value):
    raise SystemExit(7)


def not_json(value):
    return {"when": object()}


def nan(value):
    return {"score": float("nan")}


def change_input(value):
    value["text"] = "changed"
    return value


def hang(value):
    runs.append(value)
    released.wait(60)


async def wait_for_ever(value):
    await asyncio.Event().wait()


async def ignore_cancellation(value):
    runs.append(value)
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue


def slow(value):
    time.sleep(value["seconds"])
    return "done"
"""


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[str]:
    """Write a module of programs and return its name; its threads are released at the end."""
    name = f"programs_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(PROGRAMS)
    yield name
    module: Any = sys.modules.pop(name, None)
    if module is not None:
        module.released.set()
    sys.path[:] = [entry for entry in sys.path if entry != str(tmp_path)]


@pytest.fixture
def build(tmp_path: Path, programs: str) -> Callable[..., Hotplane]:
    """Return a function that builds a host with a task for every program."""

    def made(**sections: Any) -> Hotplane:
        names = ("upper", "shout", "boom", "leave", "not_json", "nan", "change_input", "hang", "wait_for_ever", "slow")
        tasks = [
            {"id": name, "program": f"{programs}:{name}", "timeout_ms": 60_000, "sampling_rate": 1.0}
            for name in (*names, "ignore_cancellation")
        ]
        plugins = {
            "validators": [{"name": "json-schema-validator"}],
            "samplers": [{"name": "percentage-sampler"}],
        }
        return Hotplane.from_config(
            {
                "storage": {"url": str(tmp_path / "host.db"), "synchronous": "NORMAL"},
                "programs": {"allow": [programs], "paths": [str(tmp_path)], "max_stuck": 3},
                "tasks": tasks,
                **sections,
                "plugins": {"call_timeout_ms": 60_000, **sections.get("plugins", plugins)},
            }
        )

    return made
