"""What a server tells, as typed values. Imports only `records` and `values`.

Fields that a newer server adds are ignored, and those that may be missing have defaults. `Execution` is the record of
`hotplane.records` itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from msgspec import Struct, field

from hotplane.records import ExecutionStatus, PluginState
from hotplane.values import Json

__all__ = [
    "Batch",
    "BatchCounts",
    "BatchState",
    "FailedPlugin",
    "HealthSummary",
    "ItemError",
    "ItemResult",
    "Listed",
    "Page",
    "Plugin",
    "PluginHealth",
    "Readiness",
    "TaskInfo",
]

T = TypeVar("T")


class Listed(Struct, Generic[T], frozen=True):
    """A list that comes at once."""

    items: tuple[T, ...]


class Page(Struct, Generic[T], frozen=True):
    """A part of a list."""

    items: tuple[T, ...]
    next_cursor: str | None = None
    """Where the list goes on; null at its end."""


class BatchState(StrEnum):
    """Where a batch or a stream stands."""

    RECEIVING = "receiving"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    STOPPED = "stopped"
    """An item failed, and it was to stop at the first one."""


_ENDED = frozenset({BatchState.COMPLETED, BatchState.CANCELLED, BatchState.STOPPED})


class BatchCounts(Struct, frozen=True, kw_only=True):
    """How many items came to what."""

    succeeded: int = 0
    failed: int = 0
    timed_out: int = 0
    cancelled: int = 0
    rejected: int = 0
    interrupted: int = 0
    sampled: int = 0
    valid: int = 0
    invalid: int = 0


class Batch(Struct, frozen=True, kw_only=True):
    """A batch or a stream, as it stood when the server was asked."""

    id: str
    task_id: str
    kind: str = "batch"
    state: BatchState
    truncated: bool = False
    """Whether the upload broke off; what had arrived whole is run."""
    items: int = 0
    """How many have arrived."""
    done: int = 0
    counts: BatchCounts = field(default_factory=BatchCounts)
    max_concurrency: int | None = None
    stop_on_first_error: bool = False
    item_timeout_ms: int | None = None
    priority: int = 0
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    rate_per_second: float | None = None
    seconds_left: float | None = None
    last_sequence: int = 0
    """The cursor of the last result."""
    problem: str | None = None
    """Why nothing runs although it should."""

    @property
    def ended(self) -> bool:
        """Whether no more results will come."""
        return self.state in _ENDED


class ItemError(Struct, frozen=True, kw_only=True):
    """Why an item has no output."""

    type: str
    message: str = ""


class ItemResult(Struct, frozen=True, kw_only=True):
    """What came of one item."""

    sequence: int
    """Its place among the results, and the cursor to go on behind it."""
    position: int
    """Its place among the items; the first is 1."""
    item_id: str
    correlation_id: str | None = None
    status: ExecutionStatus
    output: Json = None
    error: ItemError | None = None
    latency_ms: float | None = None
    execution_id: str | None = None
    sampled: bool = False
    valid: bool | None = None
    """True, false, or null: not judged, or could not be."""

    @property
    def ok(self) -> bool:
        """Whether it has an output."""
        return self.status is ExecutionStatus.SUCCESS


class Readiness(Struct, frozen=True, kw_only=True):
    """Whether a server takes work."""

    ready: bool
    reasons: tuple[str, ...] = ()
    """Why it does not."""


class TaskInfo(Struct, frozen=True, kw_only=True):
    """A task of a server."""

    id: str
    program: str
    description: str = ""
    input_schema: Json = True
    output_schema: Json = True
    sampling_rate: float | None = None
    timeout_ms: int = 30_000
    idempotent: bool = False
    route: tuple[str, ...] = ()
    source: str = ""
    """``file`` or ``api``."""
    overridden: bool = False
    problem: str | None = None
    """Why it cannot run now."""


class Plugin(Struct, frozen=True, kw_only=True):
    """A plugin of a server."""

    id: str
    type: str
    kind: str
    version: str | None = None
    description: str = ""
    author: str = ""
    state: PluginState
    reason: str | None = None
    """Why it is not active."""
    enabled: bool = True
    disabled: Mapping[str, Json] | None = None
    """Why and when the host disabled it by itself; None where it is enabled, or an operator disabled it."""
    priority: int = 0
    required: bool = False
    source: str = ""
    generation: int = 0
    since: datetime | None = None
    retry_at: datetime | None = None
    restarts: int = 0
    overrides: Mapping[str, Json] = field(default_factory=dict[str, Json])
    config_schema: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """JSON Schema of its configuration; only where one plugin was asked for."""
    stats: Mapping[str, Json] = field(default_factory=dict[str, Json])


class PluginHealth(Struct, frozen=True, kw_only=True):
    """The health of one plugin."""

    plugin_id: str
    status: str
    since: datetime | None = None
    active: bool = False
    consecutive_failures: int = 0
    success_rate: float | None = None
    details: Mapping[str, Json] = field(default_factory=dict[str, Json])


class FailedPlugin(Struct, frozen=True, kw_only=True):
    """A plugin that does not serve, though it should."""

    plugin_id: str
    reason: str | None = None
    since: datetime | None = None
    retry_at: datetime | None = None


class HealthSummary(Struct, frozen=True, kw_only=True):
    """The health of all plugins at a glance."""

    status: str
    states: Mapping[str, int] = field(default_factory=dict[str, int])
    failed: tuple[FailedPlugin, ...] = ()
