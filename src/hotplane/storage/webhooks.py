"""The webhook handlers that the API made. Imports `queries`, `readers`, `writer` and their own tables."""

from __future__ import annotations

from sqlalchemy import delete

from hotplane.storage import queries
from hotplane.storage.readers import Readers
from hotplane.storage.statements import replace_row
from hotplane.storage.tables import webhooks
from hotplane.storage.writer import Writer
from hotplane.storage.writes import Write

__all__ = ["StoredWebhooks"]


class StoredWebhooks:
    """Keeps handlers by name; nothing but their maker reads the bodies. Raises what a `Store` raises.

    Args:
        writer: Through which they are written.
        readers: Through which they are read.
    """

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def put(self, name: str, body: bytes) -> None:
        """Store a handler, in the place of the one that had its name."""
        await self._writer.write(Write(statements=replace_row(webhooks, {"name": name}, body)))

    async def delete(self, name: str) -> None:
        """Forget a handler, if it is stored."""
        await self._writer.write(Write(statements=(delete(webhooks).where(webhooks.c.name == name),)))

    async def list(self) -> dict[str, bytes]:
        """Return every handler, by name."""
        return await self._readers.run(queries.list_webhooks)
