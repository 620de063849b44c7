"""The deliveries that a lane has a lease on and has not settled. Imports only `records` and `storage`.

It is what bounds a lane's memory: a lane claims no more than there is room for here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import groupby

from msgspec import Struct

from hotplane.records import Event
from hotplane.storage import Claimed, Outcome

__all__ = ["Chain", "Held", "Ledger", "Settlement", "chains_of"]


class Held(Struct, frozen=True, gc=False):
    """One claimed delivery."""

    row: Claimed
    event: Event
    lease_until: float
    """When the lease ends, on the steady clock."""


Chain = Sequence[Held]
"""Deliveries of one key, in their order, or a single one."""


def chains_of(rows: Sequence[Claimed], lease_until: float) -> tuple[list[Chain], list[Claimed]]:
    """Return claimed deliveries as chains, in the order in which their first ones were due, and those without event.

    A chain breaks where an event is gone; whoever sees that drops the row.
    """
    gone = [row for row in rows if row.event is None]
    held = [Held(row, row.event.read(), lease_until) for row in rows if row.event is not None]
    loose: list[Chain] = [(each,) for each in held if each.row.order_key is None]
    keyed = sorted((each for each in held if each.row.order_key is not None), key=_by_key)
    return [*loose, *(tuple(group) for _, group in groupby(keyed, key=lambda each: each.row.order_key))], gone


def _by_key(held: Held) -> tuple[str, int]:
    return held.row.order_key or "", held.row.sequence


class Settlement:
    """What is to be written down in one commit."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.dropped: list[int] = []
        self.closed_keys: set[str] = set()
        self.returned: list[int] = []
        """To be given back, due at once."""
        self.parked: list[int] = []
        """To be given back, behind one of the same key."""

    def __len__(self) -> int:
        return len(self.outcomes) + len(self.dropped) + len(self.returned) + len(self.parked)


class Ledger:
    """What is held: waiting for a free place, under way, or finished and not written down."""

    def __init__(self) -> None:
        self.waiting: deque[Chain] = deque()
        self.held = 0
        self._next = Settlement()

    @property
    def unsettled(self) -> int:
        """How many deliveries have something to be written down."""
        return len(self._next)

    def take(self, chains: Iterable[Chain], gone: Iterable[Claimed]) -> None:
        """Take claimed deliveries in; those whose event is gone are dropped."""
        for chain in chains:
            self.waiting.append(chain)
            self.held += len(chain)
        for row in gone:
            self.held += 1
            self.drop(row)

    def give_back(self, chain: Chain) -> None:
        """Have what was not begun given back."""
        self._next.returned += (each.row.sequence for each in chain)

    def give_back_waiting(self) -> None:
        """Have everything given back that waits for a place."""
        while self.waiting:
            self.give_back(self.waiting.popleft())

    def park(self, chain: Chain) -> None:
        """Have the rest of a chain given back, behind the one of it that failed."""
        self._next.parked += (each.row.sequence for each in chain)

    def drop(self, row: Claimed) -> None:
        """Have a delivery deleted that nobody wants."""
        self._next.dropped.append(row.sequence)
        self._close_key(row)

    def finish(self, row: Claimed, outcome: Outcome) -> None:
        """Have an outcome written down."""
        self._next.outcomes.append(outcome)
        if outcome.due_at is None:
            self._close_key(row)

    def take_settlement(self) -> Settlement:
        """Take out what is to be written down."""
        taken, self._next = self._next, Settlement()
        return taken

    def put_back(self, settlement: Settlement) -> None:
        """Put back what could not be written down, ahead of what has come since."""
        later, self._next = self._next, settlement
        settlement.outcomes += later.outcomes
        settlement.dropped += later.dropped
        settlement.closed_keys |= later.closed_keys
        settlement.returned += later.returned
        settlement.parked += later.parked

    def _close_key(self, row: Claimed) -> None:
        if row.order_key is not None:
            self._next.closed_keys.add(row.order_key)
