"""Lines as the items of a batch in this process. Imports `execution` and `values`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import UNSET, Struct, UnsetType

from hotplane.errors import NotJson
from hotplane.execution.batch import ItemProblem, NewItem
from hotplane.values import Json, checked_copy

__all__ = ["NewItems"]


class _Line(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An item as it is written in a file."""

    input: Json
    id: str | None = None
    expected: Json | UnsetType = UNSET
    timeout_ms: int | None = None
    correlation_id: str | None = None


class NewItems:
    """Counts the lines of one upload, and keeps their ids apart."""

    def __init__(self) -> None:
        self._position = 0
        self._ids: set[str] = set()
        self._decode = msgspec.json.Decoder(_Line).decode

    def of(self, lines: Sequence[bytes]) -> list[NewItem]:
        """Return the items of the next lines; an empty line is none."""
        return list(self._each(lines))

    def _each(self, lines: Sequence[bytes]) -> Iterator[NewItem]:
        for line in lines:
            self._position += 1
            if line.strip():
                yield self._item(line)

    def _item(self, line: bytes) -> NewItem:
        try:
            found = self._decode(line)
            checked_copy(found.input)
        except (msgspec.DecodeError, UnicodeDecodeError, NotJson, RecursionError) as error:
            return self._rejected("malformed-item", f"line {self._position} is no item: {error}")
        item_id = str(self._position) if found.id is None else found.id
        if item_id in self._ids:
            return self._rejected(
                "duplicate-item-id", f"line {self._position} has the id {item_id[:140]!r} of another item"
            )
        self._ids.add(item_id)
        return NewItem(
            position=self._position,
            item_id=item_id,
            input=found.input,
            expected=found.expected,
            timeout_ms=found.timeout_ms,
            correlation_id=found.correlation_id,
        )

    def _rejected(self, kind: str, message: str) -> NewItem:
        problem = ItemProblem(type=kind, message=message)
        return NewItem(position=self._position, item_id=f"line-{self._position}", problem=problem)
