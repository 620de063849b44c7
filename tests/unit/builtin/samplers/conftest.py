"""A clock that the tests turn, and samplers that are asked directly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hotplane.builtin import load_builtin
from hotplane.builtin.samplers.stateful import StatefulSampler
from hotplane.plugins import PluginContext, Sample, Sampler, SamplingContext
from hotplane.records import Execution, ExecutionStatus, Task
from hotplane.values import Json

Make = Callable[..., Any]
BEGIN = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


class FakeClock:
    """Time of day and monotonic time; both move only when they are told to."""

    def __init__(self) -> None:
        self.day, self.seconds = BEGIN, 1000.0

    def now(self) -> datetime:
        return self.day

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.day += timedelta(seconds=seconds)
        self.seconds += seconds


class FakeStorage:
    """Values by key, in memory; shared by the plugins that are given it."""

    def __init__(self) -> None:
        self.values: dict[str, Json] = {}

    async def get(self, key: str) -> Json:
        return self.values.get(key)

    async def set(self, key: str, value: Json) -> None:
        self.values[key] = value

    async def delete(self, key: str) -> None:
        self.values.pop(key, None)


class FakeLog:
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, event: str, **values: object) -> None:
        self.warnings.append(event)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands still."""
    return FakeClock()


@pytest.fixture
def storage() -> FakeStorage:
    """Return empty storage."""
    return FakeStorage()


@pytest.fixture
def log() -> FakeLog:
    """Return an empty log."""
    return FakeLog()


@pytest.fixture
def make(clock: FakeClock, storage: FakeStorage, log: FakeLog) -> Make:
    """Return what makes a started sampler of a type, with a configuration."""

    async def made(type: str, **configuration: Any) -> Sampler[Any]:
        cls = load_builtin(type)
        sampler = cls(cls.Config.model_validate(configuration))
        assert isinstance(sampler, StatefulSampler)
        context = PluginContext(
            plugin_id="s", config=sampler.config, log=cast("Any", log), clock=clock, storage=storage, host_version="0.1"
        )
        await sampler.start(context)
        return sampler

    return made


@pytest.fixture
def ask(clock: FakeClock) -> Callable[..., Sample]:
    """Return what asks a sampler about an execution."""

    def asked(
        sampler: Sampler[Any], *, ok: bool = True, latency_ms: float = 1.0, task: str = "t", point: int = 0
    ) -> Sample:
        context = SamplingContext(
            task=Task(id=task, program="m:f"),
            rate=None,
            total=0,
            sampled=0,
            last_sample_at=None,
            now=clock.now(),
            point=point,
            configuration=sampler.config,
        )
        answer = sampler.should_sample(execution(ok=ok, latency_ms=latency_ms, task=task), context)
        assert isinstance(answer, Sample)
        return answer

    return asked


def execution(*, ok: bool = True, latency_ms: float = 1.0, task: str = "t") -> Execution:
    """Return an execution that ended well or not."""
    return Execution(
        id="e",
        task_id=task,
        program="m:f",
        status=ExecutionStatus.SUCCESS if ok else ExecutionStatus.ERROR,
        input=None,
        started_at=BEGIN,
        latency_ms=latency_ms,
    )


@pytest.fixture
def executions() -> SimpleNamespace:
    """Return what makes executions."""
    return SimpleNamespace(make=execution)
