"""A host for tests is a real one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotplane.errors import PluginStartFailed
from hotplane.plugins import NotExecuted, PluginContext, Validator
from hotplane.records import PluginMetadata, ValidationResult
from hotplane.testing import FakeClock, FakeHost, FakeRunner


class Short(Validator):
    """Refuses long outputs, and starts only when it may."""

    metadata = PluginMetadata(name="short", version="1.0")
    may_start = True

    def start(self, context: PluginContext) -> None:
        """Start, or do not."""
        if not self.may_start:
            raise RuntimeError("not today")

    def validate(self, execution: Any, context: Any) -> ValidationResult:
        """Judge."""
        return ValidationResult(valid=len(str(execution.output)) < 4)


async def upper(value: str) -> str:
    """Be an async program."""
    return value.upper()


async def test_it_runs_judges_and_stores(hotplane_host: Callable[..., FakeHost], tmp_path: Path):
    """Programs of both sorts become tasks, every execution is judged, and its record is in the store."""
    async with hotplane_host(Short, programs={"upper": upper, "lower": str.lower}) as host:
        long, short = await host.execute("upper", "hello"), await host.execute("lower", "ABC")
        assert (long.output, long.valid, short.output, short.valid) == ("HELLO", False, "abc", True)
        assert await host.hotplane.store.get_execution(long.id) == long
        assert isinstance(host.plugin("short"), Short)
        with pytest.raises(LookupError):
            host.plugin("nobody")
    assert (tmp_path / "host.db").exists()


async def test_nothing_is_left_of_it():
    """Its store and its programs are gone, and it is no host any more."""
    host = FakeHost()
    async with host:
        url = host.hotplane.store.url
        assert (await host.execute("echo", [1])).output == [1]
    assert not os.path.exists(url.removeprefix("sqlite:///"))  # noqa: ASYNC240, PTH110 - one look
    assert [name for name in sys.modules if name.startswith("hotplane_testing_programs")] == []
    with pytest.raises(RuntimeError, match="inside of `async with`"):
        assert host.hotplane


async def test_a_plugin_that_does_not_start_is_an_error():
    """A test must not go on without the plugin that it is about."""
    with pytest.raises(PluginStartFailed, match="not today"):
        await FakeHost(type("Late", (Short,), {"may_start": False})).start()


async def test_a_fake_runner_serves_a_route():
    """What it is told becomes the attempts of a real execution, fallback included."""
    runner = FakeRunner()
    runner.fails(NotExecuted("no room", code="full"))
    host = FakeHost(
        runner, programs={"upper": upper}, tasks={"upper": {"route": ["fake-runner", "local"], "idempotent": True}}
    )
    async with host:
        execution = await host.execute("upper", "x")
    assert [(each.runner, each.outcome) for each in execution.attempts] == [
        ("fake-runner", "full"),
        ("local", "success"),
    ]


def test_the_fixtures_fit_together(hotplane_context: Callable[..., PluginContext], hotplane_clock: FakeClock):
    """The context of a test has the clock of that test."""
    assert hotplane_context(Short).clock is hotplane_clock
