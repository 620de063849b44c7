"""Letting a runner of the registry run, whichever generation of it is there.

Imports only `plugins`, `records`, `registry`, `values` and this room.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from hotplane.plugins import NotExecuted, Runner
from hotplane.records import Task
from hotplane.registry import Failure, Link, Registry
from hotplane.routing.route import Run
from hotplane.routing.trail import PATIENCE_SECONDS
from hotplane.values import Json

__all__ = ["find_link", "registry_run"]


def find_link(registry: Registry, runner: str) -> Link[Runner[Any]] | None:
    """Return the runner in its kind's chain; None when it is not there, disabled or not active."""
    for link in registry.chains[Runner].links:
        if link.plugin_id == runner:
            return link
    return None


def registry_run(registry: Registry, runner: str) -> Run:
    """Return what lets `runner` run a task, cut off a little after its time, should it not keep that itself."""

    def run(task: Task, input: Json, seconds: float) -> Awaitable[Json | Failure]:
        link = find_link(registry, runner)
        if link is None:
            return _not_active(runner)
        return link.invoke(task, input, seconds, limit=seconds + PATIENCE_SECONDS)

    return run


async def _not_active(runner: str) -> Failure:
    return Failure(runner, NotExecuted("The runner is not active", code="not-active", counts=False))
