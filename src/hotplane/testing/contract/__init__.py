"""The contract of every kind, as something that a test can assert. Imports `plugins`, `host` and this room's siblings.

A plugin's author writes one line, ``assert_plugin_contract(MyPlugin)``; the plugins that ship are held to it, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from threading import Thread
from typing import Any, TypeAlias

from hotplane.errors import HotplaneError, PluginMisconfigured, RetryLater
from hotplane.host.instances import read_configuration, reason_of
from hotplane.plugins import Plugin, Runner, Sampler, Validator, WebhookHandler
from hotplane.records import Execution
from hotplane.testing.broken import ContractBroken
from hotplane.testing.contract.checks import Check, NotChecked, Outcome
from hotplane.testing.contract.declared import DECLARED
from hotplane.testing.contract.handlers import HANDLER, handler_calls
from hotplane.testing.contract.life import LIFE, Calls, starts, state_check, watch_check
from hotplane.testing.contract.runners import CUSTOM, RUNNER, custom_calls, runner_calls
from hotplane.testing.contract.samplers import SAMPLER, sampler_calls
from hotplane.testing.contract.subject import Arguments, Make, Subject
from hotplane.testing.contract.validators import VALIDATOR, validator_calls
from hotplane.values import Json

__all__ = ["Check", "Outcome", "assert_plugin_contract", "check_plugin_contract"]

Promise: TypeAlias = Callable[[Subject], Awaitable[None]]
Tell: TypeAlias = Callable[[Check], object]

_STARTS = "starts and stops"
_CHECK_SECONDS = 30.0
_SILENT_SECONDS = _CHECK_SECONDS + 5
_KINDS: Mapping[type[Plugin[Any]], tuple[Mapping[str, Promise], Calls]] = {
    Validator: (VALIDATOR, validator_calls),
    Sampler: (SAMPLER, sampler_calls),
    WebhookHandler: (HANDLER, handler_calls),
    Runner: (RUNNER, runner_calls),
}


def assert_plugin_contract(
    plugin: Plugin[Any] | type[Plugin[Any]],
    *,
    configurations: Sequence[Mapping[str, Json]] | None = None,
    make: Make | None = None,
    executions: Sequence[Execution] = (),
    calls: Sequence[Arguments] = (),
    network: bool = True,
) -> None:
    """Check everything that a plugin of its kind promises; it may be called in async tests, too.

    Checked are its metadata and configuration model, its hooks in any order, health, stats, state, that it does not
    block the event loop, and what its kind's method promises. Nothing is delivered and nothing leaves the process.

    Args:
        plugin: A class, or an instance, whose class and configuration are taken. Instances are made anew, on an event
            loop of their own.
        configurations: As they would be written in a file; each is checked. The defaults where it is left away.
        make: Makes an instance of a configuration, where a host would not do it by calling the class.
        executions: What validators and samplers are asked about, beside the contract's own executions.
        calls: The arguments with which the method of a kind of your own is called, one tuple for each call.
        network: Whether it is given a network, which is a fake that sends nothing; false: as on a host without one.

    Raises:
        ContractBroken: It breaks a promise, or has no configuration to start with; every one is named.
    """
    if not isinstance(plugin, type) and configurations is None:
        configurations = [plugin.config.model_dump(exclude_unset=True)]
    cls = plugin if isinstance(plugin, type) else type(plugin)
    found = check_plugin_contract(
        cls, configurations=configurations, make=make, executions=executions, calls=calls, network=network
    )
    broken = [check for check in found if check.outcome is Outcome.PROBLEM]
    broken += [check for check in found if check.outcome is Outcome.SKIPPED and check.name.startswith(_STARTS)]
    if broken:
        listing = "\n".join(f"  {check.name}: {check.detail}" for check in broken)
        raise ContractBroken(f"{cls.__qualname__} breaks the contract of its kind:\n{listing}")


def check_plugin_contract(
    cls: type[Plugin[Any]],
    *,
    configurations: Sequence[Mapping[str, Json]] | None = None,
    make: Make | None = None,
    executions: Sequence[Execution] = (),
    calls: Sequence[Arguments] = (),
    network: bool = True,
    tell: Tell | None = None,
) -> tuple[Check, ...]:
    """Return what came of every check; see `assert_plugin_contract`.

    Args:
        cls: The plugin's class.
        configurations: As above.
        make: As above.
        executions: As above.
        calls: As above.
        network: As above.
        tell: Told of each check as soon as it is made.
    """
    found: list[Check] = []

    def take(check: Check) -> None:
        found.append(check)
        if tell is not None:
            tell(check)

    given = configurations is not None
    written: Sequence[Mapping[str, Json]] = configurations if configurations is not None else ({},)
    subjects = [
        Subject(cls, each, given=given, make=make, executions=executions, calls=calls, network=network)
        for each in written
    ]
    # A loop of its own, in a thread of its own, so that it can be called while another one runs.
    thread = Thread(target=lambda: asyncio.run(_check_all(subjects, take)), daemon=True)
    thread.start()
    while thread.is_alive():
        before = len(found)
        thread.join(_SILENT_SECONDS)
        if thread.is_alive() and len(found) == before:  # no time-out helps where the loop does not turn
            take(_hanging(found))
            break
    return tuple(found)


def _hanging(found: Sequence[Check]) -> Check:
    after = f"after {found[-1].name!r}" if found else "at first"
    detail = f"{after} a call keeps the event loop and does not end; make it async, or set `blocking = True`"
    return Check(name="every call ends", outcome=Outcome.PROBLEM, detail=detail)


async def _check_all(subjects: Sequence[Subject], take: Tell) -> None:
    for number, subject in enumerate(subjects, 1):
        suffix = "" if len(subjects) == 1 else f" (configuration {number})"
        try:
            for name, promise in DECLARED.items():
                take(await _checked(f"{name}{suffix}", promise, subject))
            if await _began(subject, suffix, take):
                for name, promise in _alive(subject):
                    take(await _checked(f"{name}{suffix}", promise, subject))
        finally:
            subject.close()


async def _began(subject: Subject, suffix: str, take: Tell) -> bool:
    """Check that it starts, without which nothing else can be checked."""
    check = await _checked(f"{_STARTS}{suffix}", _starting, subject)
    take(check)
    return check.outcome is Outcome.OK


async def _starting(subject: Subject) -> None:
    try:
        read_configuration(subject.cls.metadata.name, subject.cls, subject.configuration)
    except PluginMisconfigured as error:
        if subject.given:
            raise
        raise NotChecked(f"it has settings without a default, so give it a configuration: {error}") from error
    try:
        await starts(subject)
    except (PluginMisconfigured, RetryLater) as error:
        if subject.given:
            raise
        raise NotChecked(f"it does not start with its defaults, so give it a configuration: {error}") from error


def _alive(subject: Subject) -> Iterator[tuple[str, Promise]]:
    promises, calls = next((found for kind, found in _KINDS.items() if issubclass(subject.cls, kind)), (None, None))
    if promises is None or calls is None:
        promises, calls = CUSTOM, custom_calls
    yield from LIFE.items()
    yield "does not block the event loop", watch_check(calls)
    yield "state survives a reload", state_check(calls)
    yield from promises.items()


async def _checked(name: str, promise: Promise, subject: Subject) -> Check:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await promise(subject)
    except NotChecked as error:
        return Check(name=name, outcome=Outcome.SKIPPED, detail=str(error))
    except ContractBroken as error:
        return Check(name=name, outcome=Outcome.PROBLEM, detail=str(error))
    except HotplaneError as error:
        return Check(name=name, outcome=Outcome.PROBLEM, detail=str(error))
    except BaseException as error:
        # Whatever a plugin raises, an exit of the process included, is something that it must not do here.
        return Check(name=name, outcome=Outcome.PROBLEM, detail=f"it raises {reason_of(error)}")
    return Check(name=name, outcome=Outcome.OK)
