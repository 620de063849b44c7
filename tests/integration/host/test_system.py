"""The host as one service of an embedding program: built, started, asked how it is, stopped."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from hotplane import Health, Hotplane, PluginMetadata, ValidationResult, Validator


class Sick(Validator):
    """A validator whose health the test sets."""

    metadata = PluginMetadata(name="sick", version="1.0")
    status = "unhealthy"
    started = 0

    def start(self, context: Any) -> None:
        type(self).started += 1

    def check_health(self) -> Health:
        return Health(status=type(self).status, message="no database")  # pyright: ignore[reportArgumentType]

    def validate(self, execution: Any, context: Any) -> ValidationResult:
        return ValidationResult(valid=True)


def host_in(folder: Path, **sections: Any) -> Hotplane:
    """Return a host that is not started."""
    return Hotplane.from_config({"storage": {"url": str(folder / "host.db")}, **sections})


async def test_a_host_tells_how_it_is(tmp_path: Path) -> None:
    """Before the start, while it runs, and after the stop, by one question."""
    host = host_in(tmp_path)
    before = host.status()
    assert (before.running, before.primary_available, before.plugins) == (False, False, ())
    assert before.reasons == ("the host is not running",)
    async with host:
        status = host.status()
        assert (status.running, status.reasons, status.primary) == (True, (), "local")
        assert (status.primary_available, [each.id for each in status.plugins]) == (True, ["local"])
    assert host.status().running is False


async def test_the_primary_is_unavailable_when_it_is_switched_off(tmp_path: Path) -> None:
    """Disabled or stopped: either way nothing is executed there."""
    async with host_in(tmp_path) as host:
        await host.plugins.disable("local")
        assert host.primary_available() is False
        await host.plugins.enable("local")
        assert host.primary_available() is True
        await host.plugins.stop("local")
        assert host.primary_available() is False


async def test_a_sick_plugin_is_restarted_by_the_supervisor(tmp_path: Path) -> None:
    """The monitor finds it, the supervisor starts it again, and when it is well it is healthy."""
    Sick.status, Sick.started = "healthy", 0
    health = {"interval_seconds": 0.02, "jitter": 0, "failure_threshold": 2}
    restart = {"delay_seconds": 0.01, "max_delay_seconds": 0.01}
    host = host_in(tmp_path, health=health, plugins={"restart": restart})
    host.register(Sick)
    async with host:
        with host.plugins.subscribe() as news:
            Sick.status = "unhealthy"  # not before: the monitor has been at work since the start
            seen: list[str] = []
            async with asyncio.timeout(60):
                async for each in news:
                    seen.append(str(getattr(each, "after", "")))
                    if seen[-1] == "active":
                        Sick.status = "healthy"
                    if seen[-1] == "healthy" and each.plugin_id == "sick" and "active" in seen:
                        break
    assert [each for each in seen if each != "healthy"][:4] == ["unhealthy", "failed", "loading", "active"]
    assert Sick.started >= 2


async def test_a_host_without_health_and_watchdog_has_no_task_and_thread_of_theirs(tmp_path: Path) -> None:
    """What is switched off costs nothing."""
    sections: dict[str, Any] = {"health": {"enabled": False}, "watchdog": {"enabled": False}}
    async with host_in(tmp_path, **sections):
        assert "hotplane-health" not in {task.get_name() for task in asyncio.all_tasks()}
        assert "hotplane-watchdog" not in {thread.name for thread in threading.enumerate()}
    async with host_in(tmp_path):
        assert "hotplane-health" in {task.get_name() for task in asyncio.all_tasks()}
        assert "hotplane-watchdog" in {thread.name for thread in threading.enumerate()}
    assert "hotplane-watchdog" not in {thread.name for thread in threading.enumerate()}
