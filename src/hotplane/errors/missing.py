"""What was asked for and is not there: HTTP's 404. Imports only `errors.base`."""

from collections.abc import Iterable

from hotplane.errors.base import HotplaneError, did_you_mean

__all__ = [
    "NotFound",
    "UnknownBatch",
    "UnknownDelivery",
    "UnknownExecution",
    "UnknownPlugin",
    "UnknownTask",
    "UnknownWebhook",
]


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
