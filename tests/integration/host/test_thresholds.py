"""Breaches of thresholds through the whole host: one event, in one commit with the record that caused it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hotplane import Hotplane
from hotplane.records import Event, EventType, Execution, Severity
from hotplane.storage.filters import EventFilter

BREACHES = EventFilter(types=frozenset({EventType.ACCURACY_THRESHOLD_BREACHED, EventType.LATENCY_THRESHOLD_BREACHED}))


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    """A task whose accuracy is watched, and everything is picked."""
    return {
        "programs": {"allow": ["threshold_programs"], "paths": [str(tmp_path)]},
        "storage": {"url": str(tmp_path / "hotplane.db")},
        "tasks": {
            "echo": {
                "program": "threshold_programs:echo",
                "sampling_rate": 1.0,
                "thresholds": {"accuracy_min": 0.9, "minimum_volume": 5, "window_count": 20},
            }
        },
        "plugins": {
            "validators": [{"name": "json-schema-validator"}],
            "samplers": [{"name": "percentage-sampler"}],
        },
    }


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program of the task."""
    (tmp_path / "threshold_programs.py").write_text("async def echo(input):\n    return input\n")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "threshold_programs", raising=False)


async def executed(host: Hotplane, count: int, *, right: bool) -> list[Execution]:
    """Execute the task a few times, one after the other."""
    return [await host.execute("echo", 1, expected=1 if right else 2) for _ in range(count)]


async def breaches(host: Hotplane) -> tuple[Event, ...]:
    """Return the stored events of breaches."""
    return await host.store.list_events(BREACHES)


async def test_a_breach_is_stored_once_with_its_record(config: dict[str, Any]) -> None:
    """The event names the execution that began the breach, and stands right behind it in the log."""
    async with Hotplane.from_config(config) as host:
        wrong = await executed(host, 30, right=False)
        (event,) = await breaches(host)
        assert (event.type, event.severity) == (EventType.ACCURACY_THRESHOLD_BREACHED, Severity.ERROR)
        assert (event.task_id, event.execution_id) == ("echo", wrong[4].id)
        beside = await host.store.list_events(EventFilter(execution_id=wrong[4].id))
        assert [each.sequence for each in beside] == [wrong[4].sequence + offset for offset in (1, 2, 3)]  # pyright: ignore[reportOperatorIssue]


async def test_another_breach_after_a_recovery_is_another_event(config: dict[str, Any]) -> None:
    """Wrong, right for a whole window, wrong again."""
    async with Hotplane.from_config(config) as host:
        for right in (False, True, False):
            await executed(host, 20, right=right)
        assert len(await breaches(host)) == 2


async def test_thresholds_can_be_changed_while_the_host_runs(config: dict[str, Any]) -> None:
    """Those that are taken away say nothing more; new ones begin with an empty window."""
    async with Hotplane.from_config(config) as host:
        watched = host.tasks.get("echo")
        await host.tasks.update(replace(watched, thresholds=None))
        await executed(host, 20, right=False)
        assert await breaches(host) == ()
        await host.tasks.update(watched)
        await executed(host, 4, right=False)
        assert await breaches(host) == ()
        await executed(host, 1, right=False)
        assert len(await breaches(host)) == 1


async def test_executions_at_the_same_time_are_one_breach(config: dict[str, Any]) -> None:
    """A hundred wrong ones at once: one event."""
    async with Hotplane.from_config(config) as host:
        await asyncio.gather(*(host.execute("echo", 1, expected=2) for _ in range(100)))
        assert len(await breaches(host)) == 1


async def test_a_restart_begins_without_a_breach(config: dict[str, Any]) -> None:
    """A breach that goes on over a restart is told once more."""
    for expected in (1, 2):
        async with Hotplane.from_config(config) as host:
            await executed(host, 10, right=False)
            assert len(await breaches(host)) == expected
