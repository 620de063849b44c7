"""A plugin's life: its hooks in any order, its health, its numbers, and its state. Imports `records` and this room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from inspect import iscoroutinefunction
from typing import Any, TypeAlias, cast

import msgspec

from hotplane.errors import NotJson
from hotplane.limits import left_of
from hotplane.plugins import Plugin
from hotplane.records import Health
from hotplane.testing.broken import ContractBroken, require
from hotplane.testing.contract.subject import Arguments, Subject
from hotplane.values import checked_copy

__all__ = ["BLOCKED_SECONDS", "LIFE", "Calls", "starts", "state_check", "watch_check"]

Calls: TypeAlias = Callable[[Subject, Plugin[Any]], Sequence[Arguments]]
"""Returns what a kind's method is called with, to give a plugin something to do."""

BLOCKED_SECONDS = 0.5
"""How long a call may keep the event loop; generous, since the machine may be busy with other things."""
_MORE_TRIES = 2
_TICK_SECONDS = 0.01
_ENDS_WITHIN = 1.0
_FOREIGN_STATES = (b"", b"{}", b"[]", b"null", b'{"version": -1}', b"\x80\x04garbage\xff\x00", b"x" * 4096)
"""What an older or another version may have exported."""


async def starts(subject: Subject) -> None:
    """It starts and stops."""
    async with subject.started():
        pass


async def _twice(subject: Subject) -> None:
    """One instance may be started and stopped again, and stopping it once more does nothing."""
    plugin = await subject.instance()
    for _ in range(2):
        await subject.start(plugin)
        await subject.hook(plugin, "stop")
    await _stopped(subject, plugin, "a second stop")


async def _stop_alone(subject: Subject) -> None:
    """An instance that never started, or whose start failed, can be stopped."""
    await _stopped(subject, await subject.instance(), "a stop without a start")


async def _cancelled_start(subject: Subject) -> None:
    """A start that is cancelled half-way ends, and the instance can be stopped."""
    if not iscoroutinefunction(getattr(subject.cls, "start", None)):
        return
    plugin = await subject.instance()
    starting = asyncio.ensure_future(subject.start(plugin))
    await asyncio.sleep(0)
    starting.cancel()
    require(not await left_of({starting}, _ENDS_WITHIN), "a cancelled start goes on; let CancelledError through")
    if not starting.cancelled() and (error := starting.exception()) is not None:
        raise ContractBroken(f"a cancelled start raises {type(error).__name__}; let CancelledError through")
    await _stopped(subject, plugin, "a stop after a cancelled start")


async def _stopped(subject: Subject, plugin: Plugin[Any], when: str) -> None:
    try:
        await subject.hook(plugin, "stop")
    except Exception as error:
        raise ContractBroken(f"{when} raises {type(error).__name__}: {error}") from error


async def _leaves_nothing(subject: Subject) -> None:
    """After its stop none of its tasks run on."""
    before = asyncio.all_tasks()
    async with subject.started():
        await asyncio.sleep(0)
    left = await left_of(asyncio.all_tasks() - before, _ENDS_WITHIN)
    names = ", ".join(sorted(task.get_name() for task in left))
    require(not left, f"after its stop these tasks run on: {names}")


async def _health(subject: Subject) -> None:
    """A health check returns a Health."""
    if not subject.has("check_health"):
        return
    async with subject.started() as plugin:
        found: object = await subject.hook(plugin, "check_health")
    require(isinstance(found, Health), f"`check_health` returns {type(found).__name__}, not a Health")


async def _stats(subject: Subject) -> None:
    """Its numbers are JSON."""
    if not subject.has("stats"):
        return
    async with subject.started() as plugin:
        found: object = await subject.hook(plugin, "stats")
    if not isinstance(found, Mapping):
        raise ContractBroken(f"`stats` returns {type(found).__name__}, not a mapping")
    try:
        checked_copy(dict(cast("Mapping[object, object]", found)))
    except NotJson as error:
        raise ContractBroken(f"`stats` is not JSON: {error}") from error


async def _reconfigures(subject: Subject) -> None:
    """It takes the configuration that it has once more."""
    if not subject.has("reconfigure"):
        return
    async with subject.started() as plugin:
        await subject.hook(plugin, "reconfigure", subject.config())


LIFE = {
    "starts and stops, twice": _twice,
    "stops without a start": _stop_alone,
    "a start can be cancelled": _cancelled_start,
    "leaves no task behind": _leaves_nothing,
    "health can be asked for": _health,
    "stats are JSON": _stats,
    "takes its configuration again": _reconfigures,
}
"""By name."""


# --- with something to do --------------------------------------------------------------------------------


def watch_check(calls: Calls) -> Callable[[Subject], Any]:
    """Return the check that nothing keeps the event loop from others."""

    async def check(subject: Subject) -> None:
        longest = await _longest(subject, calls)
        for _ in range(_MORE_TRIES):  # the machine may have been busy, or have stood still
            if longest > BLOCKED_SECONDS:
                longest = min(longest, await _longest(subject, calls))
        require(
            longest <= BLOCKED_SECONDS,
            f"it kept the event loop for {longest:.1f} s; make the method async, or set `blocking = True`",
        )

    return check


async def _longest(subject: Subject, calls: Calls) -> float:
    async with _watched() as gaps, subject.started() as plugin:
        await subject.hook(plugin, "check_health")
        await _work(subject, plugin, calls)
    return max(gaps)


@asynccontextmanager
async def _watched() -> AsyncGenerator[list[float]]:
    """Give the list of gaps between two turns of a task that wants one every few milliseconds."""
    clock = asyncio.get_running_loop().time
    gaps = [0.0]

    async def tick() -> None:
        while True:
            before = clock()
            await asyncio.sleep(_TICK_SECONDS)
            gaps.append(clock() - before)

    ticking = asyncio.ensure_future(tick())
    await asyncio.sleep(0)
    try:
        yield gaps
        await asyncio.sleep(_TICK_SECONDS)
    finally:
        ticking.cancel()
        await asyncio.wait((ticking,))


async def _work(subject: Subject, plugin: Plugin[Any], calls: Calls) -> list[str]:
    """Give the plugin something to do, and return the errors; what is right of them is another check's matter."""
    errors: list[str] = []
    for arguments in calls(subject, plugin):
        try:
            await subject.call(plugin, *arguments)
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
    return errors


def state_check(calls: Calls) -> Callable[[Subject], Any]:
    """Return the check that state goes from one generation to the next, and that foreign state does no harm."""

    async def check(subject: Subject) -> None:
        if subject.has("export_state") != subject.has("import_state"):
            raise ContractBroken("it has one of `export_state` and `import_state`; a reload needs both")
        if not subject.has("export_state"):
            return
        async with subject.started() as old:
            errors = await _work(subject, old, calls)
            state: object = await subject.hook(old, "export_state")
        require(state is None or isinstance(state, bytes), f"`export_state` returns {type(state).__name__}, not bytes")
        if state is not None:
            await _carried(subject, state)
        for foreign in _FOREIGN_STATES:
            await _survives(subject, foreign, calls, errors)

    return check


async def _carried(subject: Subject, state: object) -> None:
    async with subject.started() as new:
        await subject.hook(new, "import_state", state)
        again: object = await subject.hook(new, "export_state")
    require(
        again == state or _same_json(again, state),
        "the state that a new generation exports is not the one that it imported, although no time has passed",
    )


async def _survives(subject: Subject, foreign: bytes, calls: Calls, usual: list[str]) -> None:
    """Check that state of another version is refused with an exception, or ignored, and that the plugin goes on."""
    async with subject.started() as plugin:
        with suppress(Exception):  # to refuse it is right: then the old generation serves on
            await subject.hook(plugin, "import_state", foreign)
        errors = await _work(subject, plugin, calls)
        found: object = await subject.hook(plugin, "export_state")
    broken = f"after state that it cannot read ({foreign[:20]!r}) it does not work: {'; '.join(errors[:1])}"
    require(len(errors) <= len(usual), broken)
    require(
        found is None or isinstance(found, bytes),
        f"after state that it cannot read ({foreign[:20]!r}) it exports {type(found).__name__}",
    )


def _same_json(one: object, other: object) -> bool:
    if not (isinstance(one, bytes) and isinstance(other, bytes)):
        return False
    try:
        return bool(msgspec.json.decode(one) == msgspec.json.decode(other))
    except msgspec.DecodeError:
        return False
