"""What an operator sees of a fallback: its state, and who would take over.

Imports only `records`, `registry` and this room.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from hotplane.records import Health, HealthStatus
from hotplane.registry import Registry
from hotplane.routing.breaker import Breaker
from hotplane.routing.fallback import FallbackState
from hotplane.routing.legs import find_link
from hotplane.routing.states import BreakerSnapshot, BreakerState

__all__ = ["Candidate", "FallbackStatus", "FallbackTest", "inspect_runner"]


class FallbackStatus(Struct, frozen=True, kw_only=True):
    """Where a runner's work goes."""

    state: FallbackState | None
    """None when the runner heads no route."""
    breaker: BreakerSnapshot
    behind: tuple[str, ...]
    """The runners behind it, over all its routes, in order."""
    chosen: str | None
    """The one that an operator put first among them."""


class Candidate(Struct, frozen=True, kw_only=True):
    """A runner that may take over."""

    runner: str
    active: bool
    admits: bool
    """Whether its breaker would let a call through."""
    health: Health

    @property
    def usable(self) -> bool:
        """Whether it would take an execution."""
        return self.active and self.admits and self.health.ok


class FallbackTest(Struct, frozen=True, kw_only=True):
    """Who would take a runner's work."""

    runner: str
    would_take: str | None
    """None when nobody would."""
    candidates: tuple[Candidate, ...]
    """In the order in which they would be asked."""


async def inspect_runner(
    registry: Registry, runner: str, breaker: Breaker, probe: Callable[[str], Awaitable[Health]]
) -> Candidate:
    """Look at a runner without running anything on it.

    Args:
        registry: Where it is.
        runner: Its id.
        breaker: Its breaker; only looked at.
        probe: Asks it for its health.
    """
    active = find_link(registry, runner) is not None
    health = await _health(runner, probe) if active else _unhealthy("It is not active.")
    return Candidate(runner=runner, active=active, admits=_admits(breaker.snapshot()), health=health)


async def _health(runner: str, probe: Callable[[str], Awaitable[Health]]) -> Health:
    try:
        return await probe(runner)
    except Exception as error:
        return _unhealthy(f"Its health check failed: {type(error).__name__}: {error}")


def _unhealthy(message: str) -> Health:
    return Health(status=HealthStatus.UNHEALTHY, message=message)


def _admits(seen: BreakerSnapshot) -> bool:
    if seen.state is BreakerState.FORCED_OPEN:
        return False
    return seen.retry_after is None or seen.retry_after <= 0
