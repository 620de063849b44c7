"""What cannot be done now, and may be later: HTTP's 503. Imports only `errors.base`."""

from collections.abc import Sequence

from hotplane.errors.base import HotplaneError

__all__ = [
    "BreakerOpen",
    "CannotListen",
    "HandlerNotServing",
    "HostNotStarted",
    "NoRunnerAvailable",
    "Overloaded",
    "PluginsUnreadable",
    "PortInUse",
    "ShuttingDown",
    "StorageSlow",
    "StorageUnavailable",
    "TaskNotRunnable",
    "TooManyStuckThreads",
    "Unavailable",
]


class Unavailable(HotplaneError):
    """The host cannot do this now; try again later."""

    code = "unavailable"
    retry_after: float | None = None
    """Seconds after which another try makes sense."""


class HandlerNotServing(Unavailable):
    """The webhook handler {handler!r} cannot be called: {reason}. `hotplane plugins info {handler}` tells its state."""

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


class HostNotStarted(Unavailable):
    """The host has not been started. Enter `async with host:`, or await `host.start()`, before it is used."""

    code = "host-not-started"


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


class PluginsUnreadable(Unavailable):
    """{what} could not be read within {limit:g} s. See that the file systems on which they lie answer, then try again."""

    code = "plugins-unreadable"

    def __init__(self, what: str, limit: float) -> None:
        self.what = what
        self.limit = limit
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
