"""Items of a batch as clients write them, and how they become the engine's. Imports lower rooms and `bodies`."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from hotplane.api.bodies import Body
from hotplane.api.ndjson import Line
from hotplane.api.refusals import BodyDoesNotFit, MalformedJson
from hotplane.errors import NotJson
from hotplane.execution.batch import ItemProblem, NewItem
from hotplane.values import MAX_DEPTH, Json

__all__ = ["ItemBody", "ItemIds", "ItemReader"]


class ItemBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An item of a batch or stream."""

    input: Json
    """The task's input."""
    expected: Json | UnsetType = UNSET
    """What the output should be, where it is known: validators compare."""
    id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    """Names the item in its result; no other one of the batch has it. By default its 1-based place."""
    timeout_ms: Annotated[int, Meta(ge=1)] | None = None
    """A deadline for this item; never longer than the task's."""
    correlation_id: Annotated[str, Meta(max_length=200)] | None = None
    """Comes back with the result."""
    sample: bool = False
    """Whether it is sampled, and so judged, whatever the samplers say; estimates do not count it for that."""

    def to_item(self, position: int) -> NewItem:
        """Return what the engine takes."""
        return NewItem(
            position=position,
            item_id=self.id or str(position),
            input=self.input,
            expected=self.expected,
            timeout_ms=self.timeout_ms,
            correlation_id=self.correlation_id,
            sample=self.sample,
        )


class ItemIds:
    """The ids of one batch's items so far.

    Those that are only positions take eight bytes each: a batch of 100 000 must not need much more memory than one
    of 10 000.
    """

    def __init__(self) -> None:
        self._given: set[str] = set()
        self._positions = array("Q")

    def claim(self, position: int, given: str | None) -> bool:
        """Take an item's id, and return whether nobody had it before.

        Args:
            position: The item's; grows from call to call.
            given: The id that its client gave it.
        """
        if given is None:
            if self._given and str(position) in self._given:
                return False
            self._positions.append(position)
            return True
        if given in self._given or self._is_position(given):
            return False
        self._given.add(given)
        return True

    def _is_position(self, given: str) -> bool:
        if not (given.isascii() and given.isdigit() and len(given) < 19) or given.startswith("0"):
            return False
        index = bisect_left(self._positions, int(given))
        return index < len(self._positions) and self._positions[index] == int(given)


class ItemReader:
    """Turns lines into items; one that is none becomes an item that never runs.

    Args:
        max_bytes: Size of a line, for the message.
        max_depth: How deep its JSON may be nested.
    """

    def __init__(self, max_bytes: int, max_depth: int = MAX_DEPTH) -> None:
        self._max_bytes = max_bytes
        self._decode = Body(ItemBody, max_depth).decode
        self._ids = ItemIds()

    def read(self, lines: Iterator[Line]) -> Iterator[tuple[NewItem, int]]:
        """Yield the item of each line, and the line's size."""
        for number, text in lines:
            if text is None:
                reason = f"it has more than {self._max_bytes} bytes, the limit `batches.max_item_bytes`"
                yield self._malformed(number, reason), 0
            else:
                yield self._read(number, text), len(text)

    def _read(self, number: int, text: bytes) -> NewItem:
        try:
            body = self._decode(text)
        except BodyDoesNotFit as error:
            place = error.problems[0].pointer
            return self._malformed(number, error.reason + (f" (at {place})" if place else ""))
        except (MalformedJson, NotJson) as error:
            return self._malformed(number, error.reason)
        if not self._ids.claim(number, body.id):
            item_id = body.id or str(number)
            message = f"Line {number} has the id {item_id!r} of an earlier item, so that it was not run."
            return _refused(number, item_id, "duplicate-item-id", message)
        return body.to_item(number)

    def _malformed(self, number: int, reason: str) -> NewItem:
        return _refused(number, str(number), "malformed-item", f"Line {number} is no item: {reason}.")


def _refused(number: int, item_id: str, kind: str, message: str) -> NewItem:
    return NewItem(position=number, item_id=item_id, problem=ItemProblem(type=kind, message=message))
