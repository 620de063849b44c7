"""What a store fails with. Imports only `errors.base`."""

from hotplane.errors.base import HotplaneError

__all__ = [
    "StorageCorrupt",
    "StorageError",
    "StorageFull",
    "StorageTooNew",
]


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
