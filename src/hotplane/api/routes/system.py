"""The host as a whole: probes, numbers, and what problems mean. Imports only lower rooms and `hotplane.api`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Struct

from hotplane.api.answers import answer, host_of
from hotplane.api.describe import described
from hotplane.api.problems import status_of, title_of
from hotplane.api.refusals import NoSuchPath
from hotplane.app import Hotplane
from hotplane.errors import HotplaneError
from hotplane.host import HealthState, PluginStatus, VersionStats
from hotplane.host.watchdog import WatchdogStats
from hotplane.records import PluginState
from hotplane.values import Json

__all__ = ["Liveness", "PluginNumbers", "ProblemType", "Readiness", "Stats", "problem_types", "router"]

router = APIRouter(tags=["system"])
_PLACE = re.compile(r"\{(\w+)[^}]*\}")
"""A place in a message where an error puts its offender."""


class Liveness(Struct, frozen=True):
    """Whether the process answers."""

    status: str


class Readiness(Struct, frozen=True):
    """Whether the host takes work."""

    ready: bool
    reasons: tuple[str, ...] = ()
    """Why it does not."""


class PluginNumbers(Struct, frozen=True, kw_only=True):
    """The numbers of one plugin."""

    kind: str
    state: PluginState
    health: HealthState
    generation: int
    restarts: int
    """By the supervisor."""
    versions: tuple[VersionStats, ...]
    """Calls, errors, timeouts and latency of its latest versions, the latest last."""


class Stats(Struct, frozen=True, kw_only=True):
    """What the host has done since it was started, and what it is doing; more numbers may be added."""

    version: str
    uptime_seconds: float
    executions: Mapping[str, int]
    """How many ended in each status."""
    in_flight: int
    stuck_threads: int
    plugins: Mapping[str, int]
    """How many are in each state."""
    tasks: int
    store: Mapping[str, Json]
    by_plugin: Mapping[str, PluginNumbers]
    """The numbers of each plugin, by its id."""
    loop: WatchdogStats
    """When the event loop was blocked, and by whom."""


class ProblemType(Struct, frozen=True, kw_only=True):
    """A kind of problem: what `type` in a problem document refers to."""

    type: str
    title: str
    status: int
    description: str


_alive: Any = described(Liveness)
_ready: Any = described(Readiness, others={503: ("Not ready", Readiness)})
_stats: Any = described(Stats, problems=(503,))
_problem: Any = described(ProblemType, problems=(404,))


@router.get("/livez", operation_id="getLiveness", summary="Tell whether the process answers", **_alive)
async def get_liveness() -> Response:
    """Answer while the event loop runs; needs no token."""
    return answer(Liveness("alive"))


@router.get("/readyz", operation_id="getReadiness", summary="Tell whether the host takes work", **_ready)
async def get_readiness(request: Request) -> Response:
    """Answer 200 when the host takes work, 503 with the reasons when it does not; needs no token."""
    reasons = host_of(request).readiness()
    return answer(Readiness(not reasons, reasons), 503 if reasons else 200)


@router.get("/api/plugins/system/stats", operation_id="getStats", summary="Show the host's numbers", **_stats)
async def get_stats(request: Request) -> Response:
    """Return what the host has done since it was started, and what it is doing."""
    host = host_of(request)
    numbers = {each.id: _numbers(host, each) for each in host.plugins.list()}
    return answer({**host.stats(), "by_plugin": numbers, "loop": host.oversight.watchdog.stats()})


@router.get("/errors/{code}", operation_id="getProblemType", summary="Explain a kind of problem", **_problem)
async def get_problem_type(code: str) -> Response:
    """Return what a problem document's `type` means; needs no token."""
    found = problem_types().get(code)
    if found is None:
        raise NoSuchPath(f"/errors/{code}")
    return answer(found)


def _numbers(host: Hotplane, status: PluginStatus) -> PluginNumbers:
    return PluginNumbers(
        kind=status.kind,
        state=status.state,
        health=host.oversight.report(status.id).status,
        generation=status.generation,
        restarts=status.restarts,
        versions=host.plugins.stats(status.id),
    )


@cache
def problem_types() -> Mapping[str, ProblemType]:
    """Return every kind of problem by its code."""
    internal = ProblemType(
        type="/errors/internal-error",
        title="Internal error",
        status=500,
        description="Something went wrong that should not have; the server's log says more under `error_id`.",
    )
    found = {kind.code: _describe(kind) for kind in (HotplaneError, *_family(HotplaneError))}
    return {**found, "internal-error": internal}


def _describe(kind: type[HotplaneError]) -> ProblemType:
    words = " ".join(inspect.cleandoc(kind.__doc__ or "").replace("{hint}", "").split())
    words = _PLACE.sub(lambda place: f"<{place[1].replace('_', ' ')}>", words)
    return ProblemType(
        type=f"/errors/{kind.code}", title=title_of(kind.code), status=status_of(kind), description=words
    )


def _family(kind: type[HotplaneError]) -> Iterator[type[HotplaneError]]:
    # Only Hotplane's own: a plugin's author may derive further ones, which say nothing of this API.
    for child in kind.__subclasses__():
        if child.__module__.startswith("hotplane."):
            yield child
            yield from _family(child)
