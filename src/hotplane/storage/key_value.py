"""One plugin's own storage: JSON values by key. Imports `queries`, `readers`, `writer`, `values` and `errors`."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete

from hotplane.errors import Invalid
from hotplane.storage.queries import value_of_key
from hotplane.storage.readers import Readers
from hotplane.storage.statements import matching, replace_row
from hotplane.storage.tables import key_values
from hotplane.storage.writer import Writer
from hotplane.storage.writes import Write
from hotplane.values import Json, checked_copy

__all__ = ["MAX_KEY_LENGTH", "MAX_VALUE_BYTES", "StoredKeyValue"]

MAX_KEY_LENGTH = 256
"""Characters of a key."""
MAX_VALUE_BYTES = 256 * 2**10
"""Bytes of a value, encoded as JSON."""


class StoredKeyValue:
    """The values of one plugin, kept over restarts and reloads; it is a `hotplane.plugins.KeyValue`.

    Args:
        plugin_id: Whose values.
        writer: Through which they are written.
        readers: Through which they are read.
    """

    def __init__(self, plugin_id: str, writer: Writer, readers: Readers) -> None:
        self._plugin_id = plugin_id
        self._writer = writer
        self._readers = readers

    async def get(self, key: str) -> Json:
        """Return the value under `key`, or None when there is none."""
        _check_key(key)
        return await self._readers.run(lambda connection: value_of_key(connection, self._plugin_id, key))

    async def set(self, key: str, value: Json) -> None:
        """Put `value` under `key`; it is stored when this returns.

        Raises:
            Invalid: The key is empty, longer than 256 characters or has a NUL; the value is larger than 256 KiB.
            NotJson: `value` is not a JSON value.
        """
        _check_key(key)
        body = msgspec.json.encode(checked_copy(value))
        if len(body) > MAX_VALUE_BYTES:
            raise Invalid(f"The value of {key!r} has {len(body)} bytes; a plugin may store {MAX_VALUE_BYTES} in one.")
        await self._writer.write(Write(statements=replace_row(key_values, self._keys(key), body)))

    async def delete(self, key: str) -> None:
        """Remove what is under `key`, if anything."""
        _check_key(key)
        statement = delete(key_values).where(matching(key_values, self._keys(key)))
        await self._writer.write(Write(statements=(statement,)))

    def _keys(self, key: str) -> dict[str, str]:
        return {"plugin_id": self._plugin_id, "key": key}


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= MAX_KEY_LENGTH or "\0" in key:
        raise Invalid(f"A key has 1 to {MAX_KEY_LENGTH} characters and no NUL; this one is {key[:40]!r}.")
