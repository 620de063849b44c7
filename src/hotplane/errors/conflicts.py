"""What does not fit the present state: HTTP's 409. Imports only `errors.base`."""

from collections.abc import Iterable

from hotplane.errors.base import HotplaneError

__all__ = [
    "BatchElsewhere",
    "BatchEnded",
    "BatchNotEnded",
    "Conflict",
    "DeclaredInFile",
    "DeliveryUnderWay",
    "DuplicatePlugin",
    "DuplicateTask",
    "HostStarted",
    "IllegalTransition",
    "NoFallback",
    "NotReloadable",
    "PluginNeeded",
    "RunnerNotServing",
]


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


class HostStarted(Conflict):
    """The host was started before, and one object starts once. Build another one with `Hotplane.from_config`."""

    code = "host-started"


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


class RunnerNotServing(Conflict):
    """The plugin {plugin_id!r} takes no work: {reason}. `hotplane plugins show {plugin_id}` tells more."""

    code = "runner-not-serving"

    def __init__(self, plugin_id: str, reason: str) -> None:
        self.plugin_id = plugin_id
        self.reason = reason.rstrip(".")
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
