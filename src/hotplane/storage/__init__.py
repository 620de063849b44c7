"""One durable log of executions and events, on SQLite or PostgreSQL, and what the API changed."""

from hotplane.storage.batch_leases import BatchLease, BatchLeases
from hotplane.storage.claiming import Claim
from hotplane.storage.commits import Commits, Committed
from hotplane.storage.deliveries import StoredDeliveries
from hotplane.storage.delivery import (
    Backlog,
    Claimed,
    Delivery,
    DeliveryAttempt,
    DeliveryFilter,
    DeliveryState,
    EventRange,
    Outcome,
    Queue,
)
from hotplane.storage.endings import Ending, StoredEvent, Told
from hotplane.storage.filters import EventFilter, ExecutionFilter, Page
from hotplane.storage.idempotency import StoredKeys
from hotplane.storage.key_claiming import KeyClaim, KeyRecord, KeyState
from hotplane.storage.key_value import StoredKeyValue
from hotplane.storage.ledger import Ledger, NewResult
from hotplane.storage.ledger_queries import BatchFilter, BatchTotals, StoredBatch, StoredItem, StoredResult
from hotplane.storage.settings import StorageSettings
from hotplane.storage.store import Store
from hotplane.storage.writer import StorageStats
from hotplane.storage.writes import Addressee, Place, Tenure

__all__ = [
    "Addressee",
    "Backlog",
    "BatchFilter",
    "BatchLease",
    "BatchLeases",
    "BatchTotals",
    "Claim",
    "Claimed",
    "Commits",
    "Committed",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryFilter",
    "DeliveryState",
    "Ending",
    "EventFilter",
    "EventRange",
    "ExecutionFilter",
    "KeyClaim",
    "KeyRecord",
    "KeyState",
    "Ledger",
    "NewResult",
    "Outcome",
    "Page",
    "Place",
    "Queue",
    "StorageSettings",
    "StorageStats",
    "Store",
    "StoredBatch",
    "StoredDeliveries",
    "StoredEvent",
    "StoredItem",
    "StoredKeyValue",
    "StoredKeys",
    "StoredResult",
    "Tenure",
    "Told",
]
