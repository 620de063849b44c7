"""The routes of a host: which runners there are, who is asked how they are, what is said when work moves.

Imports only `builtin`, `config`, `host`, `routing`, `specs` and the rooms below them; `app` uses it.
"""

from __future__ import annotations

from collections.abc import Callable

from hotplane.builtin.runners.local import LocalRunner
from hotplane.config import HotplaneConfig
from hotplane.errors import InvalidRoute, did_you_mean
from hotplane.host import PluginStatus
from hotplane.host.hooks import call_hook
from hotplane.plugins import Logger, Runner
from hotplane.records import Health
from hotplane.registry import Offload, Registry
from hotplane.routing import FallbackChange, Routes
from hotplane.specs import route_of

__all__ = ["Forwarding"]


class Forwarding:
    """Builds the routes and checks what tasks ask of them.

    Args:
        config: The default route and the fallback.
        registry: Where the runners are.
        plugins: Every plugin of the host, also those that have failed to start.
        local: The host's own runner.
        offload: Runs sync health checks.
        log: Told when work moves away from a runner and comes back.
        on_change: Told so, too, by any thread.
    """

    def __init__(
        self,
        config: HotplaneConfig,
        *,
        registry: Registry,
        plugins: Callable[[], tuple[PluginStatus, ...]],
        local: LocalRunner,
        offload: Offload,
        log: Logger,
        on_change: Callable[[FallbackChange], None],
    ) -> None:
        self._tell = on_change
        self._registry = registry
        self._plugins = plugins
        self._local = local
        self._offload = offload
        self._limit = config.plugins.health_timeout_seconds
        self._log = log
        self.default = route_of(config)
        self.routes = Routes(
            registry,
            probe=self.probe,
            default=self.default,
            settings=config.fallback.breaker.settings(),
            overrides={runner: breaker.settings() for runner, breaker in config.breakers().items()},
            absence=self._absence,
            on_change=self._on_change,
        )

    async def check_program(self, program: str, route: tuple[str, ...]) -> None:
        """Load a program where the route ends up in this process; other runners have their own."""
        if "local" in route:
            await self._local.prepare(program)

    def check_route(self, route: tuple[str, ...]) -> None:
        """Refuse a route that cannot be meant, and build it.

        Raises:
            InvalidRoute: It names a runner that this host does not have, or one twice.
        """
        # A runner that has failed to start is no reason to refuse the tasks that will find it back.
        runners = {status.id for status in self._plugins() if status.kind in {"runner", ""}}
        for place, name in enumerate(route):
            if name not in runners:
                raise InvalidRoute(route, f"there is no runner {name!r}{did_you_mean(name, runners)}")
            if name in route[:place]:
                raise InvalidRoute(route, f"it names {name!r} twice")
        self.routes.route(route)  # operators can look at it before its first execution

    async def probe(self, runner: str) -> Health:
        """Ask a runner for its health; one without a health check is healthy while it is active."""
        plugin = self._registry.resolve(Runner, runner)
        if plugin is None:
            return Health()
        health = await call_hook(plugin, "check_health", limit=self._limit, offload=self._offload)
        return health if isinstance(health, Health) else Health()

    def _absence(self, plugin_id: str) -> str | None:
        """Return why a plugin is none of the runners that work can go to; None when there is no such plugin."""
        status = next((each for each in self._plugins() if each.id == plugin_id), None)
        if status is None:
            return None
        if status.kind not in {"runner", ""}:
            return f"it is a {status.kind}, not a runner"
        return f"it is {status.state}: {status.reason}" if status.reason else f"it is {status.state}"

    def _on_change(self, change: FallbackChange) -> None:
        self._tell(change)
        say = self._log.info if change.word == "recovered" else self._log.warning
        say(f"fallback.{change.word}", runner=change.state.runner, taken_by=change.state.taken_by)
