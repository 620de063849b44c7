"""Reading the records of an API for what people see of them. Imports nothing of Hotplane; msgspec when it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

__all__ = ["Fields", "Record", "as_json", "part", "parts", "source"]

Record = Mapping[str, Any]
Fields = Sequence[tuple[str, object]]
"""Labels and values, in order."""


def part(record: Record, name: str) -> Record:
    """Return a mapping inside a record; an empty one where it is null or not there."""
    return cast("Record | None", record.get(name)) or {}


def parts(record: Record, name: str) -> Sequence[Record]:
    """Return the mappings inside a record; none where they are null or not there."""
    return cast("Sequence[Record] | None", record.get(name)) or ()


def as_json(value: object) -> str:
    """Return a value as JSON, so that null, an empty text and a missing one look different."""
    import msgspec

    return msgspec.json.encode(value).decode()


def source(record: Record) -> str:
    """Return where a task or a handler comes from, and whether it was changed since."""
    return f"{record.get('source')}, overridden" if record.get("overridden") else str(record.get("source"))
