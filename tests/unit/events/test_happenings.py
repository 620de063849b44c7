"""Events about the host itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from hotplane.errors import StorageFull, UnknownPlugin
from hotplane.events.happenings import Happenings
from hotplane.host import PluginStatus, Reload, Transition
from hotplane.host.status import ReloadOutcome
from hotplane.log import capture_logs, get_logger
from hotplane.records import Event, PluginState, now
from hotplane.routing import FallbackChange, FallbackMode, FallbackState, FallbackTrigger, FallbackWord

S = PluginState


class Log:
    """A store that may be full."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.full = 0

    async def append_events(self, events: Sequence[Event]) -> None:
        await asyncio.sleep(0)
        if self.full:
            self.full -= 1
            raise StorageFull("store.db")
        self.events += events


def unknown(plugin_id: str) -> PluginStatus:
    """Know of no plugin."""
    raise UnknownPlugin(plugin_id)


def step(before: PluginState, after: PluginState, reason: str = "", plugin: str = "p") -> Transition:
    """Return one step of a plugin."""
    return Transition(plugin_id=plugin, before=before, after=after, reason=reason, at=now())


async def told(*news: Any, log: Log | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Return the events that follow from news."""
    log = log or Log()
    happenings = Happenings(log, unknown, get_logger())
    for each in news:
        if isinstance(each, FallbackChange):
            await asyncio.to_thread(happenings.on_fallback, each)
        else:
            happenings.on_plugin(each)
    await asyncio.sleep(0.01)
    await happenings.stop(30.0)
    return [(str(event.type), dict(event.payload)) for event in log.events]


async def test_a_first_start_and_a_failure_are_told() -> None:
    """With the reason of the failure."""
    found = await told(step(S.LOADING, S.ACTIVE), step(S.ACTIVE, S.FAILED, "it crashed"))
    assert [kind for kind, _ in found] == ["plugin.started", "plugin.failed"]
    assert found[1][1] == {"plugin": "p", "before": "active", "reason": "it crashed"}


async def test_a_life_after_a_failure_or_in_a_restart_is_no_first_one() -> None:
    """Both are `plugin.restarted`; after an ordinary stop it is a start again."""
    again = [step(S.ACTIVE, S.FAILED, "x"), step(S.FAILED, S.LOADING), step(S.LOADING, S.ACTIVE)]
    restart = [step(S.UNLOADING, S.UNLOADED, "restarting"), step(S.UNLOADED, S.LOADING), step(S.LOADING, S.ACTIVE)]
    stop = [step(S.UNLOADING, S.UNLOADED, "stopped by an operator"), step(S.LOADING, S.ACTIVE)]
    found = [kind for kind, _ in await told(*again, *restart, *stop)]
    assert found == ["plugin.failed", "plugin.restarted", "plugin.restarted", "plugin.started"]


@pytest.mark.parametrize(
    ("outcome", "kinds"),
    [
        (ReloadOutcome.SWAPPED, ["plugin.reloaded"]),
        (ReloadOutcome.FAILED, ["plugin.rolled-back"]),
        (ReloadOutcome.UNCHANGED, []),
    ],
)
async def test_a_reload_is_told_as_what_came_of_it(outcome: ReloadOutcome, kinds: list[str]) -> None:
    """A failed one leaves the old generation serving: that is a roll-back."""
    reload = Reload(
        plugin_id="p", outcome=outcome, trigger="file", at=now(), duration_ms=1.0, generation=2, version="1.0"
    )
    assert [kind for kind, _ in await told(reload)] == kinds


async def test_where_work_goes_is_told_from_any_thread() -> None:
    """Activated and recovered; that nobody could take it is no event."""
    state = FallbackState(
        runner="v", mode=FallbackMode.FALLBACK, since=now(), taken_by="http", trigger=FallbackTrigger.AUTOMATIC
    )
    found = await told(*(FallbackChange(word, state) for word in FallbackWord))
    assert [kind for kind, _ in found] == ["runner.fallback.activated", "runner.fallback.recovered"]
    assert found[0][1] == {"runner": "v", "taken_by": "http", "trigger": "automatic"}


async def test_while_the_store_is_full_events_wait_in_their_order() -> None:
    """Nothing is dropped for a failure that passes."""
    log = Log()
    log.full = 1
    found = await told(step(S.LOADING, S.ACTIVE), step(S.LOADING, S.ACTIVE, plugin="q"), log=log)
    assert [payload["plugin"] for _, payload in found] == ["p", "q"]


async def test_the_hosts_own_runner_is_no_news() -> None:
    """Its life is that of the host."""
    assert await told(step(S.LOADING, S.ACTIVE, plugin="local")) == []


async def test_a_store_that_stays_full_does_not_keep_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopping ends within its limit; how many events were not stored is told, and the trouble only once."""
    monkeypatch.setattr("hotplane.events.happenings._PAUSE_SECONDS", 0.01)
    log = Log()
    log.full = 1_000
    happenings = Happenings(log, unknown, get_logger())
    with capture_logs() as logs:
        happenings.on_plugin(step(S.LOADING, S.ACTIVE))
        await happenings.stop(0.1)
    assert [(entry["event"], entry.get("events")) for entry in logs] == [
        ("events.wait-for-store", None),
        ("events.not-stored", 1),
    ]
