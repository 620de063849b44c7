"""Routes over one breaker per runner: where work goes, what an operator can do about it, and what is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hotplane.errors import InvalidRoute, NoFallback, NoRunnerAvailable, UnknownPlugin
from hotplane.plugins import Runner, TransportFailed
from hotplane.records import Health, HealthStatus, PluginMetadata, Task
from hotplane.registry import Registry
from hotplane.routing import BreakerSettings, BreakerState, FallbackChange, Routes, default_route

TASK = Task(id="spam", program="spam:f", idempotent=True)


class Scripted(Runner):
    """A runner that is up or down."""

    metadata = PluginMetadata(name="scripted", version="1")
    up = True
    silent = False

    async def run(self, task: Task, input: Any, deadline: float) -> Any:
        if self.silent:
            await asyncio.Event().wait()
        if not self.up:
            raise TransportFailed("It is down.", code="down")
        return self.id


class Plant:
    """A registry with runners a, b, c and the routes over them."""

    def __init__(self, clock: Any, **options: Any) -> None:
        self.registry = Registry()
        for name in ("a", "b", "c"):
            self.registry.register(Scripted(), id=name)
        self.sick: set[str] = set()
        self.heard: list[tuple[str, str]] = []
        settings = BreakerSettings(window_calls=4, minimum_calls=2, half_open_permits=1)
        self.routes = Routes(
            self.registry, probe=self.probe, settings=settings, on_change=self.hear, clock=clock, **options
        )

    def hear(self, change: FallbackChange) -> None:
        self.heard.append((change.state.runner, change.word))

    async def probe(self, runner: str) -> Health:
        if runner in self.sick:
            raise ConnectionRefusedError("refused")
        return Health(status=HealthStatus.HEALTHY)

    def runner(self, name: str) -> Scripted:
        found = self.registry.resolve(Runner, name)
        assert isinstance(found, Scripted)
        return found

    async def run(self, *route: str, deadline: float = 5.0) -> Any:
        outcome = await self.routes.route(route).run(TASK, 1, deadline)
        return outcome.output if outcome.output is not None else outcome.status

    async def outage(self, *route: str) -> None:
        self.runner(route[0]).up = False
        while self.routes.breaker(route[0]).state is not BreakerState.OPEN:
            await self.run(*route)


@pytest.fixture
def plant(clock: Any) -> Plant:
    """Give three runners that are up."""
    return Plant(clock)


def test_the_default_route_follows_the_strategy() -> None:
    """No strategy means no fallback, and a runner is no fallback for itself."""
    assert default_route("valkyrie") == ("valkyrie",)
    assert default_route("valkyrie", "http") == ("valkyrie", "http")
    assert default_route("local", "local") == ("local",)


@pytest.mark.parametrize("route", [(), ("a", "b", "a"), ("a", "nobody")])
def test_a_route_that_cannot_be_meant_is_refused(plant: Plant, route: tuple[str, ...]) -> None:
    """A route names runners of the host, each once."""
    with pytest.raises(InvalidRoute):
        plant.routes.check(route)


def test_a_sound_route_is_accepted(plant: Plant) -> None:
    """The check returns nothing and raises nothing."""
    plant.routes.check(("b", "a"))


async def test_work_moves_away_and_back_by_itself(plant: Plant, clock: Any) -> None:
    """An outage activates the fallback; once the primary runner works again, a probe brings the work back."""
    await plant.outage("a", "b")
    assert await plant.run("a", "b") == "b"
    state = plant.routes.status("a").state
    assert state is not None
    assert (state.mode, state.taken_by, state.trigger) == ("fallback", "b", "automatic")
    plant.runner("a").up = True
    assert await plant.run("a", "b") == "b"
    clock.advance(60.0)
    assert await plant.run("a", "b") == "a"
    state = plant.routes.status("a").state
    assert state is not None
    assert (state.mode, state.taken_by, state.trigger) == ("primary", None, None)
    assert plant.heard == [("a", "activated"), ("a", "recovered")]


async def test_every_route_knows_what_one_found_out(plant: Plant) -> None:
    """A runner's breaker is shared, also where it stands behind another one."""
    await plant.outage("a", "b")
    outcome = await plant.routes.route(("a", "c")).run(TASK, 1, 5.0)
    assert [tried.outcome for tried in outcome.attempts] == ["rejected", "success"]


async def test_when_nobody_can_take_it_the_fallback_has_failed(plant: Plant) -> None:
    """It is told once per outage, and the state follows the newest execution."""
    await plant.outage("a", "b")
    for _ in range(3):
        plant.routes.breaker("b").force_open()
        with pytest.raises(NoRunnerAvailable):
            await plant.run("a", "b")
        state = plant.routes.status("a").state
        assert state is not None
        assert state.mode == "failed"
        plant.routes.breaker("b").reset()
        assert await plant.run("a", "b") == "b"
    assert plant.heard == [("a", "activated"), ("a", "failed")]


async def test_one_failed_call_is_no_outage(plant: Plant) -> None:
    """Work that moved on for once leaves the state as it is."""
    plant.runner("a").up = False
    assert await plant.run("a", "b") == "b"
    state = plant.routes.status("a").state
    assert state is not None
    assert (state.mode, plant.heard) == ("primary", [])


async def test_an_operator_sends_work_elsewhere_and_back(plant: Plant) -> None:
    """Activated by hand, a fallback stays until it is deactivated, although the runner works."""
    await plant.run("a", "b", "c")
    status = plant.routes.activate("a")
    assert status.state is not None
    assert (status.state.trigger, status.breaker.state, status.behind) == ("manual", "forced-open", ("b", "c"))
    assert await plant.run("a", "b", "c") == "b"
    plant.routes.deactivate("a")
    assert await plant.run("a", "b", "c") == "a"
    assert plant.heard == [("a", "activated"), ("a", "recovered")]


async def test_an_operator_says_who_takes_over(plant: Plant) -> None:
    """The named runner goes ahead of those behind, in every route that the runner heads."""
    await plant.run("a", "b", "c")
    await plant.run("a")
    status = plant.routes.activate("a", "c")
    assert (status.chosen, status.behind) == ("c", ("c", "b"))
    assert (await plant.run("a", "b", "c"), await plant.run("a")) == ("c", "c")
    plant.routes.deactivate("a")
    plant.runner("a").up = False
    assert await plant.run("a", "b", "c") == "b"


@pytest.mark.parametrize(
    ("strategy", "error"), [(None, NoFallback), ("none", NoFallback), ("a", NoFallback), ("nobody", NoFallback)]
)
async def test_a_fallback_to_nobody_is_refused(plant: Plant, strategy: str | None, error: type[Exception]) -> None:
    """An activation never turns a working runner off with nobody behind it."""
    await plant.run("a")
    with pytest.raises(error):
        plant.routes.activate("a", strategy)
    assert await plant.run("a") == "a"


def test_an_unknown_runner_is_refused(plant: Plant) -> None:
    """Whatever is asked of it."""
    for ask in (plant.routes.activate, plant.routes.deactivate, plant.routes.status):
        with pytest.raises(UnknownPlugin):
            ask("nobody")


async def test_a_dry_probe_says_who_would_take_over(plant: Plant) -> None:
    """The first runner that is active, healthy and let through; nothing runs and no probe is used up."""
    await plant.run("a", "b", "c")
    plant.sick = {"b"}
    found = await plant.routes.test("a")
    assert (found.would_take, [each.usable for each in found.candidates]) == ("c", [False, True])
    assert "refused" in found.candidates[0].health.message
    plant.registry.update("c", active=False)
    assert (await plant.routes.test("a")).would_take is None
    plant.sick, _ = set(), plant.routes.breaker("b").force_open()
    assert [each.admits for each in (await plant.routes.test("a")).candidates] == [False, True]
    assert plant.routes.breaker("b").snapshot().counters.rejected == 0


async def test_the_default_route_is_known_before_its_first_execution(clock: Any) -> None:
    """An operator can act on it right after the start."""
    plant = Plant(clock, default=("a", "b"))
    assert plant.routes.activate("a").behind == ("b",)


async def test_a_runner_that_is_not_active_is_passed_over(plant: Plant) -> None:
    """Its breaker counts nothing, since nobody was asked."""
    plant.registry.update("a", active=False)
    assert await plant.run("a", "b") == "b"
    assert plant.routes.breaker("a").snapshot().counters.cancelled == 1


async def test_a_runner_that_keeps_no_time_is_cut_off(plant: Plant) -> None:
    """The share is kept for it, it counts as failed, and the next one answers in time."""
    plant.runner("a").silent = True
    async with asyncio.timeout(20):
        assert await plant.run("a", "b", deadline=3.0) == "b"
    assert plant.routes.breaker("a").snapshot().counters.failed == 1


async def test_a_forgotten_runner_begins_anew(plant: Plant) -> None:
    """A plugin of the same id that comes later has a closed breaker and a route that uses it."""
    await plant.outage("a", "b")
    plant.routes.forget("a")
    plant.runner("a").up = True
    assert await plant.run("a", "b") == "a"


def test_a_probe_outlasts_the_longest_attempt(plant: Plant) -> None:
    """However short the configured lease is, an honest probe never loses its permit."""
    assert plant.routes.breaker("a").settings.permit_seconds > 3_600.0


async def test_routes_that_nobody_uses_any_more_are_let_go(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of built routes is bounded, and an evicted one is built again."""
    monkeypatch.setattr("hotplane.routing.routes._MAX_ROUTES", 2)
    for route in (("a",), ("b",), ("c",), ("a",)):
        assert await plant.run(*route) == route[0]
    assert len(plant.routes._routes) == 2


async def test_an_outage_that_an_operator_takes_over_is_the_same_outage(plant: Plant) -> None:
    """It says by whose hand it lasts now, and nothing is told a second time."""
    await plant.outage("a", "b")
    plant.routes.breaker("a").force_open()
    state = plant.routes.status("a").state
    assert state is not None
    assert (state.mode, state.trigger, plant.heard) == ("fallback", "manual", [("a", "activated")])


async def test_a_listener_that_fails_costs_nobody_an_execution(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The change is made and logged."""

    def fail(change: FallbackChange) -> None:
        raise RuntimeError("no ear")

    monkeypatch.setattr(plant.routes._board, "_on_change", fail)
    await plant.outage("a", "b")
    assert await plant.run("a", "b") == "b"
    assert "failed on 'activated'" in caplog.text


async def test_what_does_not_concern_a_runner_stays_as_it_is(plant: Plant) -> None:
    """Neither forgetting a runner nor choosing another one behind it touches routes without it at their head."""
    for route in (("a", "b"), ("b", "c"), ("c",)):
        await plant.run(*route)
    others = [plant.routes.route(route) for route in (("b", "c"), ("c",))]
    plant.routes.activate("a", "c")
    plant.routes.forget("a")
    assert [plant.routes.route(route) for route in (("b", "c"), ("c",))] == others
