"""Every route of a host, over one breaker per runner, and the operator's hand on them.

Imports only `errors`, `plugins`, `records`, `registry` and this room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from threading import RLock
from time import monotonic
from types import MappingProxyType
from typing import Any

from hotplane.errors import InvalidRoute, NoFallback, RunnerNotServing, UnknownPlugin
from hotplane.plugins import Runner
from hotplane.records import Health
from hotplane.registry import Registry
from hotplane.routing.breaker import Breaker
from hotplane.routing.fallback import FallbackBoard, FallbackChange, FallbackState
from hotplane.routing.inspection import Candidate, FallbackStatus, FallbackTest, inspect_runner
from hotplane.routing.legs import registry_run
from hotplane.routing.route import Route, RouteLeg
from hotplane.routing.runner_breaker import LEASE_SECONDS, ROUTE_BREAKER
from hotplane.routing.settings import BreakerSettings
from hotplane.routing.states import BreakerSnapshot, Transition

__all__ = ["Routes", "default_route"]

_MAX_ROUTES = 1_000
"""Routes that are kept built; beyond that the oldest is built anew when it is next needed."""


def default_route(primary: str, strategy: str = "none") -> tuple[str, ...]:
    """Return the route of tasks that name none: the primary runner, and the one behind it.

    Args:
        primary: The id of the host's first runner.
        strategy: ``none``, or the id of the runner that takes over; those of the strategies ``http`` and ``local``
            are named like them.
    """
    return (primary,) if strategy in {"none", primary} else (primary, strategy)


class Routes:
    """Builds routes, and shows and moves where their work goes. Safe for threads.

    All routes share a runner's breaker, so what one of them finds out all of them know. Ask for the route at every
    execution (it is one dictionary lookup): an operator may have changed it.

    Args:
        registry: Where the runners are.
        probe: Asks a runner for its health, for at most a few seconds.
        default: The route of tasks that name none, if the host has one.
        settings: Of the breakers. A probe's lease is made as long as the longest attempt in any case.
        overrides: Settings of single runners' breakers, by id.
        absence: Tells why a plugin of the host is not among the registry's runners; null for one that there is not.
        on_change: Told when a fallback is activated, fails, and is over.
        clock: Seconds that pass steadily, for the breakers.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        probe: Callable[[str], Awaitable[Health]],
        default: tuple[str, ...] = (),
        settings: BreakerSettings = ROUTE_BREAKER,
        overrides: Mapping[str, BreakerSettings] = MappingProxyType({}),
        absence: Callable[[str], str | None] = lambda _: None,
        on_change: Callable[[FallbackChange], object] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._probe = probe
        self._settings = settings
        self._overrides = overrides
        self._absence = absence
        self._board = FallbackBoard(on_change)
        self._changing = RLock()
        self._breakers: dict[str, Breaker] = {}
        self._routes: dict[tuple[str, ...], Route] = {}
        self._behind: dict[str, str] = {}
        """By primary runner, the one that an operator put directly behind it."""
        if default:
            self.route(default)

    def check(self, route: Sequence[str]) -> None:
        """Refuse a route that cannot be meant.

        Raises:
            InvalidRoute: It is empty, or names a runner twice or one that this host does not have.
        """
        if not route:
            raise InvalidRoute(route, "it names no runner")
        for place, runner in enumerate(route):
            if runner in route[:place]:
                raise InvalidRoute(route, f"it names {runner!r} twice")
            if not self._registry.contains(Runner, runner):
                raise InvalidRoute(route, f"there is no runner {runner!r}")

    def route(self, runners: tuple[str, ...]) -> Route:
        """Return the route over these runners, in this order; a task has it in `Task.route`."""
        known = self._routes.get(runners)
        if known is not None:
            return known
        built = self._build(runners)
        self._board.watch(runners[0], self.breaker(runners[0]).state)
        return built

    def breaker(self, runner: str) -> Breaker:
        """Return the breaker of a runner, which every route shares."""
        known = self._breakers.get(runner)
        if known is not None:
            return known
        with self._changing:
            return self._breakers.setdefault(runner, self._new_breaker(runner))

    def forget(self, runner: str) -> None:
        """Let go of a runner that is plugged in no longer, its breaker and its state."""
        with self._changing:
            self._breakers.pop(runner, None)
            self._behind.pop(runner, None)
            self._board.forget(runner)
            for runners, route in list(self._routes.items()):
                if any(leg.runner == runner for leg in route.legs):
                    del self._routes[runners]

    def activate(self, runner: str, strategy: str | None = None) -> FallbackStatus:
        """Send a runner's work elsewhere until `deactivate`: its breaker is forced open.

        Since routes share it, the runner is passed over also where it stands behind another one.

        Args:
            runner: The runner's id.
            strategy: The runner that takes over, ahead of those behind it; by default, these.

        Raises:
            UnknownPlugin, RunnerNotServing: There is no such runner, or it is not there now.
            NoFallback: Nobody could take over.
        """
        self._check_known(runner)
        if strategy is not None:
            self._check_takes_over(runner, strategy)
        elif not self._candidates(runner):
            raise NoFallback(runner, "no runner stands behind it")
        with self._changing:
            if strategy is not None:
                self._behind[runner] = strategy
                self._rebuild(runner)
        # Outside the lock: both may call whoever listens.
        breaker = self.breaker(runner)
        self._board.watch(runner, breaker.state)
        breaker.force_open()
        return self.status(runner)

    def deactivate(self, runner: str) -> FallbackStatus:
        """Give a runner its work back: its breaker is closed, whyever it was open.

        Raises:
            UnknownPlugin, RunnerNotServing: There is no such runner, or it is not there now.
        """
        self._check_known(runner)
        with self._changing:
            if self._behind.pop(runner, None) is not None:
                self._rebuild(runner)
        self.breaker(runner).reset()
        return self.status(runner)

    def status(self, runner: str) -> FallbackStatus:
        """Return where a runner's work goes, and the figures of its breaker.

        Raises:
            UnknownPlugin, RunnerNotServing: There is no such runner, or it is not there now.
        """
        self._check_known(runner)
        return FallbackStatus(
            state=self._board.state(runner),
            breaker=self.breaker(runner).snapshot(),
            behind=self._candidates(runner),
            chosen=self._behind.get(runner),
        )

    def breakers(self) -> tuple[BreakerSnapshot, ...]:
        """Return how the breaker of every runner is that stands in a route, by runner."""
        with self._changing:
            breakers = [self._breakers[runner] for runner in sorted(self._breakers)]
        return tuple(breaker.snapshot() for breaker in breakers)

    def fallbacks(self) -> tuple[FallbackState, ...]:
        """Return where the work of every runner goes that heads a route, by runner."""
        return self._board.states()

    async def test(self, runner: str) -> FallbackTest:
        """Find out who would take a runner's work now, without sending any and without using up a probe.

        Raises:
            UnknownPlugin, RunnerNotServing: There is no such runner, or it is not there now.
        """
        self._check_known(runner)
        candidates: list[Candidate] = await asyncio.gather(
            *(
                inspect_runner(self._registry, other, self.breaker(other), self._probe)
                for other in self._candidates(runner)
            )
        )
        taker = next((candidate.runner for candidate in candidates if candidate.usable), None)
        return FallbackTest(runner=runner, would_take=taker, candidates=tuple(candidates))

    def _build(self, runners: tuple[str, ...]) -> Route:
        with self._changing:
            if runners not in self._routes and len(self._routes) >= _MAX_ROUTES:
                del self._routes[next(iter(self._routes))]
            legs = [
                RouteLeg(runner, self.breaker(runner), registry_run(self._registry, runner))
                for runner in self._order(runners)
            ]
            built = self._routes[runners] = Route(legs, watch=self._board)
            return built

    def _rebuild(self, primary: str) -> None:
        for runners in list(self._routes):
            if runners[0] == primary:
                self._build(runners)

    def _order(self, runners: Sequence[str]) -> tuple[str, ...]:
        chosen = self._behind.get(runners[0])
        if chosen is None:
            return tuple(runners)
        return (runners[0], chosen, *(runner for runner in runners[1:] if runner != chosen))

    def _candidates(self, primary: str) -> tuple[str, ...]:
        """Return the runners behind a primary one, over all its routes, each once."""
        chosen = self._behind.get(primary)
        routed = (other for route in tuple(self._routes) if route[0] == primary for other in route[1:])
        return _unique([*([chosen] if chosen else []), *routed])

    def _check_known(self, runner: str) -> None:
        if self._registry.contains(Runner, runner):
            return
        why = self._absence(runner)
        if why is None:
            raise UnknownPlugin(runner, (plugin.id for plugin in self._runners()))
        raise RunnerNotServing(runner, why)

    def _check_takes_over(self, runner: str, strategy: str) -> None:
        if strategy in {"none", runner}:
            raise NoFallback(runner, f"{strategy!r} cannot take over")
        if not self._registry.contains(Runner, strategy):
            why = self._absence(strategy)
            raise NoFallback(
                runner, f"there is no runner {strategy!r}" if why is None else f"{strategy!r} takes no work: {why}"
            )

    def _runners(self) -> tuple[Runner[Any], ...]:
        return self._registry.list(Runner, enabled_only=False)

    def _new_breaker(self, runner: str) -> Breaker:
        settings = self._overrides.get(runner, self._settings)
        lease = max(settings.permit_seconds, LEASE_SECONDS)
        settings = settings.model_copy(update={"permit_seconds": lease})
        return Breaker(runner, settings, clock=self._clock, on_transition=self._on_transition)

    def _on_transition(self, transition: Transition) -> None:
        self._board.moved(transition.breaker, transition.state)


def _unique(runners: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(runners))
