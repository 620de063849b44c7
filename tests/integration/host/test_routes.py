"""Routes and fallback through a whole host: runners that fail as told, a breaker, and the operator's hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from hotplane import Hotplane
from hotplane.config import config_from_mapping
from hotplane.errors import InvalidRoute, NoFallback, NoRunnerAvailable, PluginMisconfigured, RunnerNotServing
from hotplane.plugins import (
    CURRENT_CALL,
    Config,
    NotExecuted,
    PluginContext,
    Runner,
    TransportFailed,
    ValidationContext,
    Validator,
)
from hotplane.records import Execution, PluginMetadata, Task, ValidationResult
from hotplane.specs import route_of
from hotplane.values import Json

Build = Callable[..., Hotplane]
LASTING = {"open_seconds": 3_600.0, "open_max_seconds": 3_600.0}
"""A breaker that looks again when the test is long over."""


class Scripted(Runner[Config]):
    """Fails as it is told, or answers with its own name."""

    metadata = PluginMetadata(name="scripted", version="1.0")

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        self.failure: Exception | None = None
        self.runs = 0
        self.seen: list[str | None] = []

    async def run(self, task: Task, input: Json, deadline: float) -> Json:
        self.runs += 1
        call = CURRENT_CALL.get()
        self.seen.append(call.execution_id if call else None)
        if self.failure is not None:
            raise self.failure
        return f"by {self.id}"


@pytest.fixture
def primary() -> Scripted:
    """Return the runner that heads the route."""
    return Scripted()


@pytest.fixture
def host(build: Build, primary: Scripted, programs: str) -> Hotplane:
    """Return a host with an idempotent and another task whose route is primary → local."""
    tasks = [
        {"id": name, "program": f"{programs}:upper", "idempotent": name == "safe", "route": ["primary", "local"]}
        for name in ("safe", "once")
    ]
    made = build(tasks=tasks, fallback={"breaker": LASTING})
    made.register(primary, id="primary")
    return made


async def test_the_first_runner_that_works_answers(host: Hotplane, primary: Scripted) -> None:
    """The primary does the work, knows for which execution, and is recorded as the attempt."""
    async with host:
        execution = await host.execute("safe", {"text": "x"})
        assert (execution.output, [each.runner for each in execution.attempts]) == ("by primary", ["primary"])
        assert primary.seen == [execution.id]


@pytest.mark.parametrize(
    ("failure", "task", "attempts"),
    [
        (NotExecuted("it is down", code="down"), "safe", ["down", "success"]),
        (NotExecuted("it is down", code="down"), "once", ["down", "success"]),
        (TransportFailed("it broke off", code="lost"), "safe", ["lost", "success"]),
        (TransportFailed("it broke off", code="lost"), "once", ["lost"]),
    ],
)
async def test_work_moves_on_unless_it_may_have_run(
    host: Hotplane, primary: Scripted, failure: Exception, task: str, attempts: list[str]
) -> None:
    """What was not executed goes to the next runner; what may have run only when the task is idempotent."""
    primary.failure = failure
    async with host:
        execution = await host.execute(task, {"text": "x"})
        assert [each.outcome for each in execution.attempts] == attempts
        assert (execution.status == "success") == (attempts[-1] == "success")


async def test_a_dead_runner_costs_nothing_once_its_breaker_is_open(host: Hotplane, primary: Scripted) -> None:
    """After a handful of failures the runner is not asked any more, and the state says so."""
    primary.failure = NotExecuted("it is down")
    async with host:
        for _ in range(30):
            assert (await host.execute("once", {"text": "x"})).output == "X"
        assert primary.runs < 15
        assert (await host.execute("once", {"text": "x"})).attempts[0].outcome == "rejected"
        state = host.routes.status("primary").state
        assert state is not None
        assert (state.mode, state.taken_by) == ("fallback", "local")


async def test_an_operator_moves_work_away_and_back(host: Hotplane, primary: Scripted) -> None:
    """Activate sends the work to the runners behind, deactivate gives it back; a test tells who would take it."""
    async with host:
        assert (await host.routes.test("primary")).would_take == "local"
        host.routes.activate("primary")
        assert (await host.execute("once", {"text": "x"})).output == "X"
        host.routes.deactivate("primary")
        assert (await host.execute("once", {"text": "x"})).output == "by primary"
        with pytest.raises(NoFallback):
            host.routes.activate("local")


async def test_without_a_runner_the_host_says_when_to_come_back(build: Build, primary: Scripted, programs: str) -> None:
    """A route with nobody left refuses with the reasons; nothing is recorded as executed."""
    primary.failure = NotExecuted("it is down", retry_after=7.0)
    host = build(tasks=[{"id": "alone", "program": f"{programs}:upper", "route": ["primary"]}])
    host.register(primary, id="primary")
    async with host:
        with pytest.raises(NoRunnerAvailable, match="it is down"):
            await host.execute("alone", {"text": "x"})
        assert await host.store.count_executions() == 0


async def test_a_route_names_runners_that_there_are(host: Hotplane, programs: str) -> None:
    """An unknown runner and one named twice are refused, with a suggestion."""
    async with host:
        for route, words in ((("primry",), "did you mean 'primary'"), (("local", "local"), "twice")):
            with pytest.raises(InvalidRoute, match=words):
                await host.tasks.create(Task(id="new", program=f"{programs}:upper", route=route))


async def test_the_default_route_begins_with_the_configured_runner(build: Build, programs: str) -> None:
    """With a runner configured and the strategy `local`, tasks without a route go there first."""
    host = build(
        plugins={"runners": [{"name": "http", "configuration": {"base_url": "http://127.0.0.1:9"}}]},
        fallback={"strategy": "local"},
        tasks=[{"id": "plain", "program": f"{programs}:upper", "idempotent": True}],
    )
    async with host:
        execution = await host.execute("plain", {"text": "x"})
        assert [each.runner for each in execution.attempts] == ["http", "local"]
        assert execution.output == "X"


async def test_a_cancelled_attempt_is_recorded(host: Hotplane, primary: Scripted) -> None:
    """The record of a caller that went away names the runner it was waiting for."""
    entered = asyncio.Event()

    async def wait(*_: Any) -> Json:
        entered.set()
        await asyncio.Event().wait()

    primary.run = wait  # pyright: ignore[reportAttributeAccessIssue]
    async with host:
        calling = asyncio.create_task(host.execute("safe", {"text": "x"}))
        await entered.wait()
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        while not await host.store.count_executions():  # noqa: ASYNC110 - bounded by the test's time limit
            await asyncio.sleep(0.01)
        (record,) = (await host.store.list_executions()).items
        assert [(each.runner, each.outcome) for each in record.attempts] == [("primary", "cancelled")]


@pytest.mark.parametrize(("switch", "attempts"), [({}, ["http", "local"]), ({"enable_fallback": False}, ["valkyrie"])])
async def test_a_runner_may_decline_the_fallback(switch: dict[str, bool], attempts: list[str]) -> None:
    """`enable_fallback: false` of the first runner leaves it alone on the default route."""
    configuration: dict[str, object] = {**switch} if switch else {"base_url": "http://127.0.0.1:9"}
    runner = {"name": "valkyrie" if switch else "http", "configuration": configuration}
    config = config_from_mapping({"plugins": {"runners": [runner]}, "fallback": {"strategy": "local"}}).config
    assert list(route_of(config)) == attempts


class Judge(Validator):
    """No runner."""

    metadata = PluginMetadata(name="judge", version="1.0")

    def validate(self, execution: Execution, context: ValidationContext) -> ValidationResult:
        return ValidationResult(valid=True)


class Broken(Scripted):
    """Does not start."""

    metadata = PluginMetadata(name="broken", version="1.0")

    def start(self, context: PluginContext) -> None:
        raise PluginMisconfigured("its key is missing")


@pytest.mark.parametrize(
    ("plugin", "words"), [("broken", "it is failed: .*its key is missing"), ("judge", "validator")]
)
async def test_a_fallback_of_what_is_no_working_runner_is_refused_with_the_reason(
    host: Hotplane, plugin: str, words: str
) -> None:
    """A runner that failed to start is not denied, and neither is a plugin of another kind."""
    host.register(Broken, id="broken")
    host.register(Judge, id="judge")
    async with host:
        for ask in (host.routes.status, host.routes.activate, host.routes.deactivate):
            with pytest.raises(RunnerNotServing, match=words):
                ask(plugin)
        with pytest.raises(NoFallback, match=words):
            host.routes.activate("primary", plugin)


async def test_the_configuration_says_when_a_runner_is_not_asked_any_more(
    build: Build, primary: Scripted, programs: str
) -> None:
    """With a window of one call, one failure sends the work elsewhere."""
    primary.failure = NotExecuted("it is down")
    task = {"id": "safe", "program": f"{programs}:upper", "route": ["primary", "local"]}
    host = build(tasks=[task], fallback={"breaker": {"window_calls": 1, "minimum_calls": 1, **LASTING}})
    host.register(primary, id="primary")
    async with host:
        tried = [(await host.execute("safe", {"text": "x"})).attempts[0].outcome for _ in range(2)]
        assert (primary.runs, tried[1]) == (1, "rejected")
