"""Where an answer leads: what of it names the parameters of other operations. Imports nothing of Hotplane.

OpenAPI calls this links. Readers of the document see which call comes next, and tools that follow them (such as the
tests of this API) reach operations that need something to be there first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["links_of"]


@dataclass(frozen=True)
class _Link:
    """What the answers of one operation lead to.

    Args:
        status: Of the answer.
        parameters: Names of parameters, and the expressions for their values.
        targets: Ids of the operations that take them.
    """

    status: str
    parameters: Mapping[str, str]
    targets: Sequence[str]

    def written(self) -> dict[str, dict[str, Any]]:
        """Return the links by their names."""
        return {target: {"operationId": target, "parameters": dict(self.parameters)} for target in self.targets}


_TASK = ("getTask", "updateTask", "executeTask", "getQuality", "deleteTask")
_BATCH = ("getBatch", "getBatchResults", "followBatch", "pauseBatch", "resumeBatch", "cancelBatch", "deleteBatch")
_PLUGIN = (
    "getPlugin", "getHealth", "checkHealth", "getFallback", "testFallback", "enablePlugin", "disablePlugin",
    "startPlugin", "stopPlugin", "restartPlugin", "reloadPlugin", "configurePlugin", "setPluginPriority",
    "resetPlugin", "removePlugin",
)  # fmt: skip
_WEBHOOK = ("getWebhook", "changeWebhook", "testWebhook", "listWebhookDeliveries", "removeWebhook")
_FOLLOWED = ("getOperation",)
"""What operations that take time answer with 202."""


def _of(parameter: str, field: str, targets: Sequence[str], status: str = "200") -> _Link:
    return _Link(status, {parameter: f"$response.body#/{field}"}, targets)


_LATER = _of("operation_id", "id", _FOLLOWED, "202")
_LINKS: Mapping[str, Sequence[_Link]] = {
    "createTask": (_of("task_id", "id", _TASK, "201"),),
    "updateTask": (_of("task_id", "id", ("getTask", "executeTask", "resetTask")),),
    "executeTask": (_of("execution_id", "id", ("getExecution",)),),
    "executeBatch": (_of("batch_id", "batch/id", _BATCH), _of("batch_id", "id", _BATCH, "202")),
    "publishEvents": (_of("after", "items/0/sequence", ("listEvents",), "201"),),
    "makeWebhook": (_of("name", "name", _WEBHOOK, "201"),),
    "loadPlugin": (_of("plugin_id", "id", _PLUGIN), _LATER),
    **dict.fromkeys(
        ("reloadChanged", "removePlugin", "startPlugin", "stopPlugin", "restartPlugin", "reloadPlugin"), (_LATER,)
    ),
    "configurePlugin": (_of("plugin_id", "id", ("getPlugin", "resetPlugin")), _LATER),
}


def links_of(operation_id: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the links of an operation's answers, by their status."""
    found: dict[str, dict[str, Any]] = {}
    for link in _LINKS.get(operation_id, ()):
        found.setdefault(link.status, {}).update(link.written())
    return found
