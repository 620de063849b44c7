"""One durable log of executions and events, on SQLite or PostgreSQL, and what the API changed."""

from hotplane.storage.commits import Commits, Committed
from hotplane.storage.filters import EventFilter, ExecutionFilter, Page
from hotplane.storage.key_value import StoredKeyValue
from hotplane.storage.ledger import Ledger, NewResult
from hotplane.storage.ledger_queries import BatchFilter, BatchTotals, StoredBatch, StoredItem, StoredResult
from hotplane.storage.settings import StorageSettings
from hotplane.storage.store import Store
from hotplane.storage.writer import StorageStats
from hotplane.storage.writes import Addressee, Place

__all__ = [
    "Addressee",
    "BatchFilter",
    "BatchTotals",
    "Commits",
    "Committed",
    "EventFilter",
    "ExecutionFilter",
    "Ledger",
    "NewResult",
    "Page",
    "Place",
    "StorageSettings",
    "StorageStats",
    "Store",
    "StoredBatch",
    "StoredItem",
    "StoredKeyValue",
    "StoredResult",
]
