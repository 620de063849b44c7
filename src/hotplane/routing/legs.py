"""Letting a runner of the registry run, whichever generation of it is there.

Imports only `plugins`, `records`, `registry`, `values` and this room.
"""

from __future__ import annotations

from typing import Any

from hotplane.plugins import NotExecuted, Runner
from hotplane.records import Task
from hotplane.registry import Chain, Failure, Link, Registry
from hotplane.routing.route import Plain, Run
from hotplane.routing.trail import PATIENCE_SECONDS
from hotplane.values import Json

__all__ = ["find_link", "registry_run"]


def find_link(registry: Registry, runner: str) -> Link[Runner[Any]] | None:
    """Return the runner in its kind's chain; None when it is not there, disabled or not active."""
    return _link_in(registry.chains[Runner], runner)


def _link_in(chain: Chain[Runner[Any]], runner: str) -> Link[Runner[Any]] | None:
    for link in chain.links:
        if link.plugin_id == runner:
            return link
    return None


def registry_run(registry: Registry, runner: str) -> Run:
    """Return what lets `runner` run a task, cut off a little after its time, should it not keep that itself."""

    async def run(task: Task, input: Json, seconds: float) -> Json | Plain | Failure:
        with registry.lease(Runner) as chain:  # it is not stopped before it has answered
            link = _link_in(chain, runner)
            if link is None:
                return Failure(runner, NotExecuted("The runner is not active", code="not-active", counts=False))
            if not link.plugin.vetted:
                return await link.invoke(task, input, seconds, limit=seconds + PATIENCE_SECONDS)
            result = await link.invoke(task, input, seconds)
            return result if isinstance(result, Failure) else Plain(result)

    return run
