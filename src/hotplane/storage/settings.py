"""What an operator may set about storage, and how a store's address is read. Imports nothing of Hotplane."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["StorageSettings"]

_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")
_IN_MEMORY = ("", ":memory:")


class StorageSettings(BaseModel):
    """Where executions are stored, how safely, and how much may wait."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str = Field(default="sqlite:///hotplane.db", repr=False)
    """``sqlite:///file.db``, a bare path (also SQLite), or ``postgresql://user:password@server/database``."""
    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    """FULL survives a power cut. NORMAL survives the end of the process; a power cut (PostgreSQL: also a crash of
    the server) may take the last moments."""
    group_limit: int = Field(default=512, ge=1, le=10_000)
    """Writes in one commit."""
    queue_limit: int = Field(default=10_000, ge=1)
    """Writes that may wait for a commit; more are refused."""
    queue_bytes: int = Field(default=256 * 2**20, ge=1)
    """Bytes of records that may wait for a commit; more are refused."""
    busy_timeout_ms: int = Field(default=5_000, ge=0, le=600_000)
    """How long a write waits for another process that holds the store, in milliseconds."""
    readers: int = Field(default=2, ge=1, le=64)
    """Connections that read, each in its own thread."""
    read_queue_limit: int = Field(default=1_000, ge=1)
    """Reads that may wait for a reader; more are refused."""
    read_timeout_ms: int = Field(default=10_000, ge=1, le=600_000)
    """How long one read may take, in milliseconds: a long one keeps the log of SQLite from being emptied."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        scheme, separator, rest = url.partition("://")
        if separator and scheme not in ("sqlite", *_POSTGRESQL):
            raise ValueError(f"a store is a path, sqlite:///… or postgresql://…, not {scheme}://")
        if scheme in _POSTGRESQL and separator:
            return url
        if separator and not rest.startswith("/"):
            raise ValueError("SQLite has no server: write sqlite:///relative.db or sqlite:////absolute.db")
        if (rest[1:] if separator else url) in _IN_MEMORY:
            raise ValueError("a store in memory loses everything and cannot be read while it is written; name a file")
        return url

    @property
    def sqlite_path(self) -> Path | None:
        """The file of a SQLite store; None for PostgreSQL."""
        scheme, separator, rest = self.url.partition("://")
        if not separator:
            return Path(self.url).expanduser()
        return Path(rest[1:]) if scheme == "sqlite" else None
