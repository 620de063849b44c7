"""Validators with consequences, forced samples and samplers that remember: through a whole host."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from hotplane import Hotplane
from hotplane.errors import OutputRejected
from hotplane.plugins import Validator
from hotplane.records import Execution, PluginMetadata, ValidationResult
from hotplane.storage import ExecutionFilter

Build = Callable[..., Hotplane]

FIXER = """
from hotplane import PluginMetadata, ValidationResult, Validator


class Fixer(Validator):
    metadata = PluginMetadata(name="fixer", version="1.0")

    def validate(self, execution, context):
        tidy = execution.output.strip(".")
        if tidy == execution.output:
            return ValidationResult(valid=True)
        return ValidationResult(valid=False, message="dots at the end", output=tidy)
"""

PATIENT = """
import time

from hotplane import PluginMetadata, ValidationResult, Validator


class Patient(Validator):
    metadata = PluginMetadata(name="patient", version="1.0")
    blocking = True

    def validate(self, execution, context):
        time.sleep(0.4)
        return ValidationResult(valid=True)
"""

BUDGET = {"name": "latency-budget", "configuration": {"max_ms": 3_600_000}}
"""Agrees to whatever ran, however slow the machine is."""
NO_SAMPLES = [{"name": "percentage-sampler", "enabled": False}]
SHORT = {
    "name": "short",
    "type": "expression-validator",
    "configuration": {"rules": [{"expression": "size(output) < 6", "message": "too long"}]},
}


async def types_of_events(host: Hotplane) -> list[str]:
    """Return the types of all stored events, in order."""
    stored = await host.store.list_events(limit=1000)
    return [event.type for event in stored if not event.type.startswith("plugin.")]


async def test_a_rejected_output_is_an_error_for_the_caller_and_a_record_for_everyone(build: Build) -> None:
    """Without any sampling: the validator that rejects sees every execution."""
    plugins = {
        "validators": [{**SHORT, "on_fail": "reject"}, {"name": "json-schema-validator"}],
        "samplers": NO_SAMPLES,
    }
    async with build(plugins=plugins) as host:
        assert (await host.execute("upper", {"text": "short"})).valid is True
        with pytest.raises(OutputRejected, match="short: too long") as caught:
            await host.execute("upper", {"text": "much too long"})
        record = await host.store.get_execution(caught.value.execution_id)
        assert (record.status, record.output, record.valid) == ("rejected", "MUCH TOO LONG", False)
        assert [(each.validator, each.consequence) for each in record.validations] == [("short", "rejected")]
        assert record.sampling is not None
        assert (record.sampling.outcome, record.sampling.sampled) == ("not-sampled", False)
        assert (await types_of_events(host))[-2:] == ["program.execution.failed", "validation.failed"]


async def test_a_rejected_execution_is_sampled_like_any_other(build: Build) -> None:
    """The designated sampler votes on it, so that estimates count it, and what records judges it too."""
    plugins = {
        "validators": [{**SHORT, "on_fail": "reject"}, {"name": "json-schema-validator"}],
        "samplers": [{"name": "percentage-sampler"}],
    }
    async with build(plugins=plugins) as host:
        with pytest.raises(OutputRejected) as caught:
            await host.execute("upper", {"text": "much too long"})
        record = await host.store.get_execution(caught.value.execution_id)
        assert record.sampling is not None
        assert record.sampling.probability_sampled
        assert [each.validator for each in record.validations] == ["short", "json-schema-validator"]
        assert record.valid is False


@pytest.fixture
def fixing(tmp_path: Path) -> dict[str, Any]:
    """Return a section `plugins` with a validator of the user's own that corrects."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "fixer.py").write_text(FIXER)
    return {"directories": [str(folder)], "watch": False, "samplers": NO_SAMPLES}


async def test_a_corrected_output_is_what_the_caller_gets(build: Build, fixing: dict[str, Any]) -> None:
    """And what another validator rejects or not; the first output is kept, over the store too."""
    validators = [{"name": "fixer", "on_fail": "fix"}, {**SHORT, "on_fail": "reject"}]
    async with build(plugins={**fixing, "validators": validators}) as host:
        done = await host.execute("upper", {"text": "fine......"})
        assert (done.status, done.output, done.original_output, done.valid) == ("success", "FINE", "FINE......", True)
        assert await host.store.get_execution(done.id) == done
        assert (await host.execute("upper", {"text": "fine"})).original_output is UNSET
        with pytest.raises(OutputRejected):
            await host.execute("upper", {"text": "not fine..."})


async def test_what_follows_an_objection_is_shown_with_the_plugin(build: Build, fixing: dict[str, Any]) -> None:
    """An operator sees it without the file."""
    validators = [{"name": "fixer", "on_fail": "fix"}, SHORT]
    async with build(plugins={**fixing, "validators": validators}) as host:
        assert {each.id: each.on_fail for each in host.plugins.list() if each.kind == "validator"} == {
            "fixer": "fix",
            "short": None,
        }


async def test_the_hosts_policy_and_a_tasks_own(build: Build) -> None:
    """One that agrees is enough where the configuration says so, unless the task wants all."""
    plugins = {"validators": [SHORT, BUDGET], "samplers": [{"name": "percentage-sampler"}]}
    async with build(plugins=plugins, validation={"policy": "any"}) as host:
        assert (await host.execute("upper", {"text": "much too long"})).valid is True
    async with build(plugins=plugins, validation={"policy": "weighted", "weights": {"short": 3}}) as host:
        assert (await host.execute("upper", {"text": "much too long"})).valid is False


async def test_what_the_caller_forces_is_judged_and_not_extrapolated(build: Build) -> None:
    """The record says that it was forced; the designated sampler's own vote is kept apart."""
    plugins = {
        "validators": [{"name": "json-schema-validator"}],
        "samplers": [{"name": "percentage-sampler"}, {"name": "always-on-failure"}],
    }
    async with build(plugins=plugins) as host:
        await host.tasks.update(replace(host.tasks.get("upper"), sampling_rate=0.0))
        plain = await host.execute("upper", {"text": "a"})
        forced = await host.execute("upper", {"text": "a"}, sample=True)
    assert plain.sampling is not None
    assert forced.sampling is not None
    assert (plain.sampling.outcome, plain.valid) == ("not-sampled", None)
    assert (forced.sampling.outcome, forced.valid) == ("forced", True)
    assert (forced.sampling.probability_sampled, forced.sampling.probability) == (False, 0.0)


class Broken(Validator):
    """Raises on every item."""

    metadata = PluginMetadata(name="broken", version="1.0")

    def validate(self, execution: Execution, context: object) -> ValidationResult:
        raise KeyError("nothing works")


async def test_a_validator_that_raises_on_every_item_leaves_every_item_not_judged(build: Build) -> None:
    """None of them is valid, none fails, each says why, and the validator's errors are counted."""
    plugins = {"validators": [BUDGET], "samplers": [{"name": "percentage-sampler"}]}
    host = build(plugins=plugins)
    host.register(Broken)
    async with host:
        for _ in range(50):
            done = await host.execute("shout", {"text": "a"})
            assert (done.status, done.valid) == ("success", None)
            assert [each.message for each in done.validations if each.valid is None] == ["KeyError: 'nothing works'"]
        assert host.registry.entry("broken").stats.errors == 50
        page = await host.store.list_executions(ExecutionFilter(valid="unjudged"), limit=100)
        assert len(page.items) == 50


async def test_budgets_and_estimates_survive_a_reload_and_a_restart(build: Build) -> None:
    """The second host has no second budget, and neither has the second generation."""
    inner = {"type": "always-on-failure"}
    budget = {"name": "budget", "configuration": {"sampler": inner, "limit": 2, "per": "day"}}
    plugins = {"samplers": [budget, {"name": "anomaly-sampler", "configuration": {"minimum_calls": 2}}]}

    async def outcomes(host: Hotplane, count: int) -> list[Any]:
        done = [await host.execute("boom", {"text": "a"}) for _ in range(count)]
        return [
            vote.outcome for each in done if each.sampling for vote in each.sampling.votes if vote.sampler == "budget"
        ]

    async with build(plugins=plugins) as host:
        for _ in range(3):
            await host.execute("upper", {"text": "a"})
        assert await outcomes(host, 1) == ["sampled"]
        await host.plugins.reload("budget")
        assert await outcomes(host, 2) == ["sampled", "over-budget"]
        await host.plugins.reload("anomaly-sampler")
        anomalies = (await host.execute("upper", {"text": "a"})).sampling
    async with build(plugins=plugins) as host:
        assert await outcomes(host, 1) == ["over-budget"]
        again = (await host.execute("upper", {"text": "a"})).sampling
    for decision in (anomalies, again):
        assert decision is not None
        assert "mean" in next(vote.reason for vote in decision.votes if vote.sampler == "anomaly-sampler")


async def test_an_output_that_was_to_be_judged_does_not_get_out_when_the_host_stops(build: Build) -> None:
    """What is cut short while a validator that rejects is at work is rejected, not let through."""
    entered = asyncio.Event()

    class Slow(Validator):
        metadata = PluginMetadata(name="slow-judge", version="1.0")

        async def validate(self, execution: Execution, context: object) -> ValidationResult:
            entered.set()
            await asyncio.Event().wait()
            raise AssertionError

    host = build(plugins={"samplers": NO_SAMPLES})
    await host.start()
    await host.load(Slow)
    host.registry.unregister(Validator, "slow-judge")
    host.registry.register(Slow(), id="gate", on_fail="reject")
    asked = asyncio.create_task(host.execute("upper", {"text": "a"}))
    await asyncio.wait_for(entered.wait(), 60)
    await host.stop(grace=0.0)
    with pytest.raises(OutputRejected, match="cut short"):
        await asked


async def test_a_program_around_the_host_says_what_follows_too(build: Build) -> None:
    """A validator that is registered by hand may reject."""

    class Never(Validator):
        metadata = PluginMetadata(name="never", version="1.0")

        def validate(self, execution: Execution, context: object) -> ValidationResult:
            return ValidationResult(valid=False, message="never")

    host = build(plugins={"samplers": NO_SAMPLES})
    host.register(Never, on_fail="reject")
    async with host:
        with pytest.raises(OutputRejected) as caught:
            await host.execute("upper", {"text": "a"}, sample=True)
    assert (caught.value.sampled, caught.value.valid) == (True, False)


class Endless(Validator):
    """Never comes to a verdict."""

    metadata = PluginMetadata(name="endless", version="1")
    begun: asyncio.Event

    async def validate(self, execution: Execution, context: Any) -> ValidationResult:
        self.begun.set()
        await asyncio.Event().wait()
        raise AssertionError


async def judging(host: Hotplane, task: str, **how: Any) -> asyncio.Task[Execution]:
    """Start a host, and return an execution that is being judged without end."""
    Endless.begun = asyncio.Event()
    await host.start()
    host.registry.register(Endless(), id="endless", **how)
    execution = asyncio.create_task(host.execute(task, {"text": "a"}, sample=True))
    await asyncio.wait_for(Endless.begun.wait(), 60)
    return execution


async def test_a_host_that_stops_in_the_midst_of_a_judgement_keeps_what_ran(build: Build) -> None:
    """The caller has the output, unjudged, and so has the record."""
    host = build()
    execution = await judging(host, "upper")
    await host.stop(grace=0.0)
    done = await asyncio.wait_for(execution, 60)
    assert (done.status, done.output, done.valid) == ("success", "A", None)
    async with build() as again:
        assert (await again.store.get_execution(done.id)).output == "A"


async def test_a_caller_that_leaves_in_the_midst_of_a_judgement_leaves_a_record(build: Build) -> None:
    """What ran is not forgotten because nobody waits for it."""
    host = build()
    execution = await judging(host, "upper")
    execution.cancel()
    with pytest.raises(asyncio.CancelledError):
        await execution
    await host.stop()
    async with build() as again:
        (record,) = (await again.store.list_executions(ExecutionFilter(task_id="upper"))).items
        assert (record.status, record.valid) == ("success", None)


async def test_a_failure_stays_one_when_its_judgement_is_cut_short(build: Build) -> None:
    """Only an output could be let out unjudged; a program that failed has none to hold back."""
    host = build()
    execution = await judging(host, "boom", on_fail="reject")
    await host.stop(grace=0.0)
    done = await asyncio.wait_for(execution, 60)
    assert (done.status, done.error and done.error.type) == ("error", "ValueError")


async def test_more_executions_than_threads_wait_for_a_blocking_validator(build: Build, tmp_path: Path) -> None:
    """Each is judged: what it waits for a thread is not the validator's time, and no thread counts as stuck."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "patient.py").write_text(PATIENT)
    validators = [{"name": "patient", "timeout_ms": 2_500}]
    plugins = {"directories": [str(folder)], "watch": False, "validators": validators, "samplers": NO_SAMPLES}
    async with build(plugins=plugins) as host:
        done = await asyncio.gather(*(host.execute("shout", {"text": "x"}, sample=True) for _ in range(64)))
        assert {(each.valid, each.validations[0].message) for each in done} == {(True, "")}
        assert host.stats()["stuck_threads"] == 0
