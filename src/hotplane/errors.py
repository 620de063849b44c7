"""Every exception that Hotplane raises on purpose. Imports nothing of Hotplane.

Each class's docstring is its default message, with the offender filled in, and says how to mend it. The
offender is an attribute; `code` is stable and never reused, so programs may branch on it::

    HotplaneError
    ├── NotFound
    │   ├── UnknownTask, UnknownPlugin, UnknownWebhook, UnknownExecution, UnknownDelivery, UnknownBatch
    ├── Conflict
    │   ├── DuplicatePlugin, DuplicateTask, DeclaredInFile, IllegalTransition, PluginNeeded, NotReloadable
    │   ├── NoFallback, DeliveryUnderWay, BatchElsewhere, BatchEnded, BatchNotEnded
    ├── Invalid
    │   ├── ConfigurationError, ReservedId, InvalidId, InvalidMetadata, InvalidSchema, InvalidCursor
    │   ├── UnknownType, ReferenceNotAllowed, PathNotAllowed, ProgramNotAllowed, ProgramNotImportable, NotJson
    │   ├── InputRejected, OutputRejected, InvalidRoute, BatchTooLarge, EmptyBatch
    ├── Unavailable
    │   ├── TooManyStuckThreads, HandlerNotServing, Overloaded, ShuttingDown, TaskNotRunnable,
    │   ├── StorageUnavailable, StorageSlow, BreakerOpen, NoRunnerAvailable, CannotListen, PortInUse
    ├── StorageError
    │   ├── StorageFull, StorageCorrupt, StorageTooNew
    ├── PluginError
    │   ├── PluginImportFailed, PluginIncompatible, PluginStartFailed, PluginReloadFailed, PluginTimeout
    ├── MissingExtra
    ├── RetryLater
    │   └── ConfigurationRefused
    └── PluginMisconfigured                    (the last two are raised by plugins)
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import ClassVar

__all__ = [
    "BatchElsewhere",
    "BatchEnded",
    "BatchNotEnded",
    "BatchTooLarge",
    "BreakerOpen",
    "CannotListen",
    "ConfigurationError",
    "ConfigurationRefused",
    "Conflict",
    "DeclaredInFile",
    "DeliveryUnderWay",
    "DuplicatePlugin",
    "DuplicateTask",
    "EmptyBatch",
    "HandlerNotServing",
    "HotplaneError",
    "IllegalTransition",
    "InputRejected",
    "Invalid",
    "InvalidCursor",
    "InvalidId",
    "InvalidMetadata",
    "InvalidRoute",
    "InvalidSchema",
    "MissingExtra",
    "NoFallback",
    "NoRunnerAvailable",
    "NotFound",
    "NotJson",
    "NotReloadable",
    "OutputRejected",
    "Overloaded",
    "PathNotAllowed",
    "PluginError",
    "PluginImportFailed",
    "PluginIncompatible",
    "PluginMisconfigured",
    "PluginNeeded",
    "PluginReloadFailed",
    "PluginStartFailed",
    "PluginTimeout",
    "PortInUse",
    "Problem",
    "ProgramNotAllowed",
    "ProgramNotImportable",
    "ReferenceNotAllowed",
    "ReservedId",
    "RetryLater",
    "ShuttingDown",
    "StorageCorrupt",
    "StorageError",
    "StorageFull",
    "StorageSlow",
    "StorageTooNew",
    "StorageUnavailable",
    "TaskNotRunnable",
    "TooManyStuckThreads",
    "Unavailable",
    "UnknownBatch",
    "UnknownDelivery",
    "UnknownExecution",
    "UnknownPlugin",
    "UnknownTask",
    "UnknownType",
    "UnknownWebhook",
    "did_you_mean",
]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known word, or ``""`` when none is close."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input: where it is and how to mend it."""

    message: str
    """A sentence for a person."""
    pointer: str = ""
    """JSON Pointer (RFC 6901) into the offending document; empty for the whole of it."""
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        """Return the problem as one line, ``file:line: message (at pointer)``."""
        place = f"{self.file}:{self.line}: " if self.file and self.line else f"{self.file}: " if self.file else ""
        return f"{place}{self.message}" + (f" (at {self.pointer})" if self.pointer else "")


class HotplaneError(Exception):
    """Something went wrong in Hotplane; the message says what and how to mend it."""

    code: ClassVar[str] = "hotplane-error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self._default_message())

    def _default_message(self) -> str:
        words = " ".join(inspect.cleandoc(type(self).__doc__ or "").split())
        return words.format(**vars(self))


class NotFound(HotplaneError):
    """What was asked for does not exist."""

    code = "not-found"


class UnknownTask(NotFound):
    """There is no task {task_id!r}{hint} `hotplane tasks list` shows the tasks of this host."""

    code = "unknown-task"

    def __init__(self, task_id: str, known: Iterable[str] = ()) -> None:
        self.task_id = task_id
        self.hint = did_you_mean(task_id, known) or "."
        super().__init__()


class UnknownPlugin(NotFound):
    """There is no plugin {plugin_id!r}{hint} `hotplane plugins list` shows the plugins of this host."""

    code = "unknown-plugin"

    def __init__(self, plugin_id: str, known: Iterable[str] = ()) -> None:
        self.plugin_id = plugin_id
        self.hint = did_you_mean(plugin_id, known) or "."
        super().__init__()


class UnknownWebhook(NotFound):
    """There is no webhook handler {name!r}{hint} `hotplane webhooks list` shows what there is."""

    code = "unknown-webhook"

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        self.name = name[:140]
        self.hint = did_you_mean(name, known) or "."
        super().__init__()


class UnknownExecution(NotFound):
    """There is no execution {execution_id!r}. `hotplane executions list` shows the newest ones."""

    code = "unknown-execution"

    def __init__(self, execution_id: str) -> None:
        self.execution_id = execution_id
        super().__init__()


class UnknownBatch(NotFound):
    """There is no batch or stream {batch_id!r}. `hotplane batch list` shows the newest ones."""

    code = "unknown-batch"

    def __init__(self, batch_id: str) -> None:
        self.batch_id = batch_id
        super().__init__()


class UnknownDelivery(NotFound):
    """There is no delivery of event {sequence} to {handler!r}. `hotplane webhooks deliveries {handler}` shows the newest ones."""

    code = "unknown-delivery"

    def __init__(self, handler: str, sequence: int) -> None:
        self.handler = handler
        self.sequence = sequence
        super().__init__()


class Conflict(HotplaneError):
    """The request does not fit the present state."""

    code = "conflict"


class DuplicatePlugin(Conflict):
    """A {kind} with the id {plugin_id!r} is already registered. Give one of them another `name`: ids are unique over all kinds."""

    code = "duplicate-plugin"

    def __init__(self, plugin_id: str, kind: str) -> None:
        self.plugin_id = plugin_id
        self.kind = kind
        super().__init__()


class DuplicateTask(Conflict):
    """The task {task_id!r} exists already. Change it with PUT, or choose another id."""

    code = "duplicate-task"

    def __init__(self, task_id: str) -> None:
        self.task_id = task_id
        super().__init__()


class DeclaredInFile(Conflict):
    """{name!r} is declared in the configuration file: it can be overridden, not deleted. Remove it from {file} instead."""

    code = "declared-in-file"

    def __init__(self, name: str, file: str) -> None:
        self.name = name
        self.file = file
        super().__init__()


class IllegalTransition(Conflict):
    """The plugin {plugin_id!r} is {current!r} and cannot become {wanted!r}. Allowed from here: {allowed}."""

    code = "illegal-transition"

    def __init__(self, plugin_id: str, current: str, wanted: str, allowed: Iterable[str]) -> None:
        self.plugin_id = plugin_id
        self.current = current
        self.wanted = wanted
        self.allowed = ", ".join(allowed) or "nothing"
        super().__init__()


class PluginNeeded(Conflict):
    """The plugin {plugin_id!r} is needed by {dependents}. Stop those first, or ask for all of them with `cascade`."""

    code = "plugin-needed"

    def __init__(self, plugin_id: str, dependents: Iterable[str]) -> None:
        self.plugin_id = plugin_id
        self.needed_by = tuple(dependents)
        self.dependents = " and ".join(repr(each) for each in self.needed_by)
        super().__init__()


class NotReloadable(Conflict):
    """The plugin {plugin_id!r} cannot be loaded anew: {reason}."""

    code = "not-reloadable"

    def __init__(self, plugin_id: str, reason: str) -> None:
        self.plugin_id = plugin_id
        self.reason = reason
        super().__init__()


class NoFallback(Conflict):
    """The runner {runner!r} has no fallback: {reason}. Name a runner to take over, or put one behind it in its routes."""

    code = "no-fallback"

    def __init__(self, runner: str, reason: str) -> None:
        self.runner = runner
        self.reason = reason
        super().__init__()


class BatchElsewhere(Conflict):
    """The batch {batch_id!r} runs on another host ({holder}). Ask that one; its state and its results can be read here, too."""

    code = "batch-elsewhere"

    def __init__(self, batch_id: str, holder: str) -> None:
        self.batch_id = batch_id
        self.holder = holder
        super().__init__()


class BatchEnded(Conflict):
    """The batch {batch_id!r} is {state!r}, so that this cannot be done with it any more. Submit a new one."""

    code = "batch-ended"

    def __init__(self, batch_id: str, state: str) -> None:
        self.batch_id = batch_id
        self.state = state
        super().__init__()


class BatchNotEnded(Conflict):
    """The batch {batch_id!r} is {state!r}. Cancel it, and wait for its end, before you delete it."""

    code = "batch-not-ended"

    def __init__(self, batch_id: str, state: str) -> None:
        self.batch_id = batch_id
        self.state = state
        super().__init__()


class DeliveryUnderWay(Conflict):
    """The event {sequence} is being delivered to {handler!r} right now. Look at the delivery again in a moment."""

    code = "delivery-under-way"

    def __init__(self, handler: str, sequence: int) -> None:
        self.handler = handler
        self.sequence = sequence
        super().__init__()


class Invalid(HotplaneError):
    """The input is not acceptable."""

    code = "invalid"
    problems: Sequence[Problem] = ()


class ConfigurationError(Invalid):
    """The configuration has {count} problem(s):{listing}"""

    code = "invalid-configuration"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            f"The configuration has {len(self.problems)} problem{'s' if len(self.problems) != 1 else ''}:\n"
            + "\n".join(f"  {problem}" for problem in self.problems)
        )


class ReservedId(Invalid):
    """The id {plugin_id!r} is reserved, because the API uses it as a path. Choose another name."""

    code = "reserved-id"

    def __init__(self, plugin_id: str) -> None:
        self.plugin_id = plugin_id
        super().__init__()


class InvalidId(Invalid):
    """{value!r} cannot be {what}. Use 1 to 128 letters, digits, and any of `. _ : -`, beginning with a letter or digit."""

    code = "invalid-id"

    def __init__(self, value: str, what: str = "an id") -> None:
        self.value = value[:140]
        self.what = what
        super().__init__()


class InvalidMetadata(Invalid):
    """The plugin class {plugin!r} cannot be used: {reason}."""

    code = "invalid-metadata"

    def __init__(self, plugin: str, reason: str) -> None:
        self.plugin = plugin
        self.reason = reason
        super().__init__()


class InvalidSchema(Invalid):
    """This is not a usable JSON Schema: {reason} (at {pointer}). Remote references are never fetched; put shared parts under `$defs`."""

    code = "invalid-schema"

    def __init__(self, reason: str, pointer: str = "") -> None:
        self.reason = reason
        self.pointer = pointer or "/"
        self.problems = (Problem(reason, pointer),)
        super().__init__()


class InvalidCursor(Invalid):
    """The cursor {cursor!r} is not one that was given out here. Leave it away to begin with the first row."""

    code = "invalid-cursor"

    def __init__(self, cursor: str) -> None:
        self.cursor = cursor[:80]
        super().__init__()


class UnknownType(Invalid):
    """There is no {what} {name!r}{hint} Known: {known}."""

    code = "unknown-type"

    def __init__(self, name: str, known: Iterable[str], *, what: str = "plugin type") -> None:
        self.name = name
        self.what = what
        known = sorted(known)
        self.hint = did_you_mean(name, known) or "."
        self.known = ", ".join(known)
        super().__init__()


class ReferenceNotAllowed(Invalid):
    """The plugin class {reference!r} is not allowed. Add its module to `plugins.paths` in the configuration file (now: {allowed})."""

    code = "reference-not-allowed"

    def __init__(self, reference: str, allowed: Iterable[str]) -> None:
        self.reference = reference
        self.allowed = ", ".join(allowed) or "nothing"
        super().__init__()


class PathNotAllowed(Invalid):
    """Plugins may not be loaded from {path!r}. Put it into one of `plugins.directories`, or add its folder to `plugins.paths` (now: {allowed})."""

    code = "path-not-allowed"

    def __init__(self, path: str, allowed: Iterable[str]) -> None:
        self.path = path
        self.allowed = ", ".join(allowed) or "nothing"
        super().__init__()


class ProgramNotAllowed(Invalid):
    """The program {program!r} is not allowed. Add its module to `programs.allow` in the configuration file (now: {allowed})."""

    code = "program-not-allowed"

    def __init__(self, program: str, allowed: Iterable[str]) -> None:
        self.program = program
        self.allowed = ", ".join(allowed) or "nothing"
        super().__init__()


class ProgramNotImportable(Invalid):
    """The program {program!r} cannot be used: {reason}. It is written `package.module:function`."""

    code = "program-not-importable"

    def __init__(self, program: str, reason: str) -> None:
        self.program = program
        self.reason = reason
        super().__init__()


class InvalidRoute(Invalid):
    """The route {route} cannot be used: {reason}. A route names runners of this host, each once."""

    code = "invalid-route"

    def __init__(self, route: Sequence[str], reason: str) -> None:
        self.route = " → ".join(route) or "(empty)"
        self.reason = reason
        super().__init__()


class NotJson(Invalid):
    """This is not a JSON value: {reason} (at {pointer})."""

    code = "not-json"

    def __init__(self, reason: str, pointer: str = "") -> None:
        self.reason = reason
        self.pointer = pointer or "/"
        self.problems = (Problem(reason, pointer),)
        super().__init__()


class InputRejected(Invalid):
    """The input does not fit the input schema of the task {task_id!r}."""

    code = "input-rejected"

    def __init__(self, task_id: str, problems: Sequence[Problem], execution_id: str | None = None) -> None:
        self.task_id = task_id
        self.problems = tuple(problems)
        self.execution_id = execution_id
        super().__init__()


class BatchTooLarge(Invalid):
    """A batch may have {limit} {what}. Send several smaller ones, or raise the limit `{setting}`."""

    code = "batch-too-large"

    def __init__(self, limit: int, what: str, setting: str) -> None:
        self.limit = limit
        self.what = what
        self.setting = setting
        super().__init__()


class EmptyBatch(Invalid):
    """The batch has no items. Send at least one."""

    code = "empty-batch"


class OutputRejected(Invalid):
    """The output of the execution {execution_id!r} of the task {task_id!r} was rejected ({reasons}). The record has it; the validators' `on_fail` decides this."""

    code = "output-rejected"

    def __init__(
        self,
        task_id: str,
        problems: Sequence[Problem],
        execution_id: str,
        *,
        sampled: bool = False,
        valid: bool | None = None,
    ) -> None:
        self.task_id = task_id
        self.problems = tuple(problems)
        """With pointers into the output."""
        self.execution_id = execution_id
        self.sampled = sampled
        self.valid = valid
        """The verdict; null where it was rejected because it could not be judged."""
        self.reasons = "; ".join(str(problem) for problem in self.problems) or "no reason given"
        super().__init__()


class Unavailable(HotplaneError):
    """The host cannot do this now; try again later."""

    code = "unavailable"
    retry_after: float | None = None
    """Seconds after which another try makes sense."""


class HandlerNotServing(Unavailable):
    """The webhook handler {handler!r} cannot be called: {reason}. `hotplane plugins show {handler}` tells its state."""

    code = "handler-not-serving"

    def __init__(self, handler: str, reason: str) -> None:
        self.handler = handler
        self.reason = reason
        super().__init__()


class TooManyStuckThreads(Unavailable):
    """{stuck} threads hang in programs that overran their deadline, and `programs.max_stuck` is {limit}. Mend the programs, then restart the host."""

    code = "too-many-stuck-threads"

    def __init__(self, stuck: int, limit: int) -> None:
        self.stuck = stuck
        self.limit = limit
        super().__init__()


class Overloaded(Unavailable):
    """{what} is full ({limit}). Send less at a time, or raise the limit `{setting}`."""

    code = "overloaded"
    retry_after = 1.0

    def __init__(self, what: str, limit: int, setting: str) -> None:
        self.what = what
        self.limit = limit
        self.setting = setting
        super().__init__()


class ShuttingDown(Unavailable):
    """The host is shutting down and takes no new work. Send the request to another host, or again after the restart."""

    code = "shutting-down"
    retry_after = 5.0


class TaskNotRunnable(Unavailable):
    """The task {task_id!r} cannot run now: {reason} Change it with PUT, or delete it."""

    code = "task-not-runnable"

    def __init__(self, task_id: str, reason: str) -> None:
        self.task_id = task_id
        self.reason = reason
        super().__init__()


class StorageUnavailable(Unavailable):
    """The store {store!r} cannot be used: {reason}."""

    code = "storage-unavailable"

    def __init__(self, store: str, reason: str) -> None:
        self.store = store
        self.reason = reason
        super().__init__()


class StorageSlow(Unavailable):
    """The execution {execution_id!r} ran, but its record was not stored within the time limit; it may still appear. Look it up by its id before you repeat it."""

    code = "storage-slow"

    def __init__(self, execution_id: str) -> None:
        self.execution_id = execution_id
        super().__init__()


class BreakerOpen(Unavailable):
    """The breaker {breaker!r} is {state} and lets no call through. {advice}"""

    code = "breaker-open"

    def __init__(self, breaker: str, state: str, retry_after: float | None) -> None:
        self.breaker = breaker
        self.state = state
        self.retry_after = retry_after
        self.advice = (
            "It stays so until somebody resets it." if retry_after is None else f"Try again in {retry_after:.3g} s."
        )
        super().__init__()


class NoRunnerAvailable(Unavailable):
    """No runner can take the task {task_id!r} now; nothing was executed. {listing}"""

    code = "no-runner-available"

    def __init__(self, task_id: str, reasons: Sequence[tuple[str, str]], retry_after: float | None = None) -> None:
        self.task_id = task_id
        self.reasons = tuple(reasons)
        """Runner and reason, in the order in which they were asked."""
        self.retry_after = retry_after
        self.listing = " ".join(f"{runner}: {reason.rstrip('.')}." for runner, reason in self.reasons)
        super().__init__()


class CannotListen(Unavailable):
    """The server cannot listen on {host}, port {port}: {reason}. Give another address with `server.host` and `server.port`."""

    code = "cannot-listen"

    def __init__(self, host: str, port: int, reason: str) -> None:
        self.host = host
        self.port = port
        self.reason = reason
        super().__init__()


class PortInUse(CannotListen):
    """Port {port} of {host} is in use by another program. End that program, or choose another port with `--port`; 0 takes any free one."""

    code = "port-in-use"

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port, "it is in use")


class StorageError(HotplaneError):
    """The store failed."""

    code = "storage-error"


class StorageFull(StorageError):
    """The store {store!r} is full. Free some space: nothing that was stored is lost, and what was refused was not stored."""

    code = "storage-full"

    def __init__(self, store: str) -> None:
        self.store = store
        super().__init__()


class StorageCorrupt(StorageError):
    """The store {store!r} is damaged or is not a database ({reason}). Restore a backup, or give another file with `--store`."""

    code = "storage-corrupt"

    def __init__(self, store: str, reason: str) -> None:
        self.store = store
        self.reason = reason
        super().__init__()


class StorageTooNew(StorageError):
    """The store {store!r} was written by a newer Hotplane (revision {revision}). Upgrade Hotplane, or give another store."""

    code = "storage-too-new"

    def __init__(self, store: str, revision: str) -> None:
        self.store = store
        self.revision = revision
        super().__init__()


class PluginError(HotplaneError):
    """A plugin failed."""

    code = "plugin-error"


class PluginImportFailed(PluginError):
    """The plugin {path!r} cannot be loaded: {reason}."""

    code = "plugin-import-failed"

    def __init__(self, path: str, reason: str, *, traceback: str = "", changed: bool = False) -> None:
        self.path = path
        self.reason = reason
        self.traceback = traceback
        """The plugin's own frames, for its author."""
        self.changed = changed
        """Whether the files changed meanwhile, so that another try may succeed."""
        super().__init__()


class PluginStartFailed(PluginError):
    """The plugin {plugin_id!r} did not start: {reason}."""

    code = "plugin-start-failed"

    def __init__(self, plugin_id: str, reason: str) -> None:
        self.plugin_id = plugin_id
        self.reason = reason
        super().__init__()


class PluginIncompatible(PluginError):
    """The plugin {plugin_id!r} does not fit here: {reason}."""

    code = "plugin-incompatible"

    def __init__(self, plugin_id: str, reason: str) -> None:
        self.plugin_id = plugin_id
        self.reason = reason
        super().__init__()


class PluginReloadFailed(PluginError):
    """The plugin {plugin_id!r} was not replaced: {reason}. Generation {generation} serves on."""

    code = "plugin-reload-failed"

    def __init__(self, plugin_id: str, reason: str, generation: int) -> None:
        self.plugin_id = plugin_id
        self.reason = reason.rstrip(".")
        self.generation = generation
        super().__init__()


class PluginTimeout(PluginError):
    """The plugin {plugin_id!r} took longer than {limit:g} s in {hook}."""

    code = "plugin-timeout"

    def __init__(self, plugin_id: str, hook: str, limit: float) -> None:
        self.plugin_id = plugin_id
        self.hook = hook
        self.limit = limit
        super().__init__()


class MissingExtra(HotplaneError):
    """{feature} needs packages that are not installed. Run: pip install 'hotplane[{extra}]'"""

    code = "missing-extra"

    def __init__(self, feature: str, extra: str) -> None:
        self.feature = feature
        self.extra = extra
        super().__init__()


class RetryLater(HotplaneError):
    """The plugin cannot work yet; ask again in {after:g} s."""

    code = "retry-later"

    def __init__(self, after: float, message: str | None = None) -> None:
        self.after = after
        super().__init__(message)


class ConfigurationRefused(RetryLater):
    """The plugin {plugin_id!r} finds its configuration unusable: {reasons}"""

    code = "configuration-refused"

    def __init__(self, plugin_id: str, problems: Sequence[Problem], after: float) -> None:
        self.plugin_id = plugin_id
        self.problems = tuple(problems)
        """With pointers into the configuration."""
        self.reasons = "; ".join(str(problem) for problem in self.problems)
        super().__init__(after)


class PluginMisconfigured(HotplaneError):
    """The plugin's configuration cannot work; the operator has to change it."""

    code = "plugin-misconfigured"
