"""A plugin's storage in memory, as strict as the real one. Imports `storage`'s limits, `errors` and `values`."""

from __future__ import annotations

import msgspec

from hotplane.errors import Invalid
from hotplane.storage.key_value import MAX_KEY_LENGTH, MAX_VALUE_BYTES
from hotplane.values import Json, checked_copy

__all__ = ["FakeKeyValue"]


class FakeKeyValue:
    """JSON values by key; it is a `hotplane.plugins.KeyValue`.

    Give one to two plugins, one after the other, and the second finds what the first has stored, as after a restart.

    Args:
        values: What is in it at first.
    """

    def __init__(self, values: dict[str, Json] | None = None) -> None:
        self._bodies = {key: msgspec.json.encode(checked_copy(value)) for key, value in (values or {}).items()}

    @property
    def values(self) -> dict[str, Json]:
        """A copy of everything that is stored."""
        return {key: msgspec.json.decode(body) for key, body in self._bodies.items()}

    async def get(self, key: str) -> Json:
        """Return the value under `key`, or None when there is none."""
        _check(key)
        body = self._bodies.get(key)
        return None if body is None else msgspec.json.decode(body)

    async def set(self, key: str, value: Json) -> None:
        """Put `value` under `key`.

        Raises:
            Invalid: The key is empty, longer than 256 characters or has a NUL; the value is larger than 256 KiB.
            NotJson: `value` is not a JSON value.
        """
        _check(key)
        body = msgspec.json.encode(checked_copy(value))
        if len(body) > MAX_VALUE_BYTES:
            raise Invalid(f"The value of {key!r} has {len(body)} bytes; a plugin may store {MAX_VALUE_BYTES} in one.")
        self._bodies[key] = body

    async def delete(self, key: str) -> None:
        """Remove what is under `key`, if anything."""
        _check(key)
        self._bodies.pop(key, None)


def _check(key: str) -> None:
    if not 1 <= len(key) <= MAX_KEY_LENGTH or "\0" in key:
        raise Invalid(f"A key has 1 to {MAX_KEY_LENGTH} characters and no NUL; this one is {key[:40]!r}.")
