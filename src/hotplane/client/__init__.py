"""The SDK: clients of a running server, `AsyncClient` and `Client`.

It needs ``pip install "hotplane[client]"``. It imports `errors`, `log`, `records`, `values` and `identity`, and
nothing of the host.
"""

from msgspec import UNSET

from hotplane.client.async_client import AsyncClient
from hotplane.client.async_results import AsyncBatchHandle, AsyncResultStream
from hotplane.client.calls import BatchOptions
from hotplane.client.failures import (
    ApiConflict,
    ApiError,
    ApiInvalid,
    ApiNotFound,
    ApiUnauthorized,
    ApiUnavailable,
    BadAddress,
    BadKey,
    BadToken,
    ClientError,
    ConnectionFailed,
    ConnectionLost,
    NotHotplane,
    UploadIncomplete,
)
from hotplane.client.items import Item
from hotplane.client.quality import Estimate, Quality
from hotplane.client.results import (
    Batch,
    BatchCounts,
    BatchState,
    FailedPlugin,
    HealthSummary,
    ItemError,
    ItemResult,
    Plugin,
    PluginHealth,
    Readiness,
    TaskInfo,
)
from hotplane.client.retries import Retry, RetryPolicy
from hotplane.client.sync_client import Client
from hotplane.client.sync_results import BatchHandle, ResultStream
from hotplane.records import Execution, ExecutionStatus

__all__ = [
    "UNSET",
    "ApiConflict",
    "ApiError",
    "ApiInvalid",
    "ApiNotFound",
    "ApiUnauthorized",
    "ApiUnavailable",
    "AsyncBatchHandle",
    "AsyncClient",
    "AsyncResultStream",
    "BadAddress",
    "BadKey",
    "BadToken",
    "Batch",
    "BatchCounts",
    "BatchHandle",
    "BatchOptions",
    "BatchState",
    "Client",
    "ClientError",
    "ConnectionFailed",
    "ConnectionLost",
    "Estimate",
    "Execution",
    "ExecutionStatus",
    "FailedPlugin",
    "HealthSummary",
    "Item",
    "ItemError",
    "ItemResult",
    "NotHotplane",
    "Plugin",
    "PluginHealth",
    "Quality",
    "Readiness",
    "ResultStream",
    "Retry",
    "RetryPolicy",
    "TaskInfo",
    "UploadIncomplete",
]
