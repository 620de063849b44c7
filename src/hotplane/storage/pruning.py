"""Deleting old events and their deliveries, a slice at a time. Imports `tables`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from hotplane.storage.tables import deliveries, events

__all__ = ["Prune", "old_events"]

_of = deliveries.c


def old_events(connection: Connection, after: int, before: int, limit: int) -> list[tuple[int, int]]:
    """Return the sequence and the time of the next events above `after` that came in before an instant."""
    query = select(events.c.sequence, events.c.at).where(events.c.sequence > after)
    rows = connection.execute(query.order_by(events.c.sequence).limit(limit))
    # The log is in the order in which events came in, so that the first young one ends the old ones.
    old: list[tuple[int, int]] = []
    for sequence, at in rows:
        if at >= before:
            break
        old.append((sequence, at))
    return old


class Prune:
    """Deletes events that are old, with their deliveries, unless one of those is open or dead and not that old.

    Args:
        rows: Sequence and time of the events.
        handlers: Who has deliveries.
        all_before: Events that came in before this instant go in any case.
    """

    def __init__(self, rows: Sequence[tuple[int, int]], handlers: Sequence[str], all_before: int) -> None:
        self._sequences = [sequence for sequence, _ in rows]
        self._oldest = [sequence for sequence, at in rows if at < all_before]
        self._handlers = handlers

    def __call__(self, connection: Connection) -> None:
        """Do it, in the writer's transaction."""
        kept = set[int]()
        for handler in self._handlers:
            ours = (_of.handler == handler, _of.event.in_(self._sequences))
            connection.execute(delete(deliveries).where(*ours, _of.state == "delivered"))
            connection.execute(delete(deliveries).where(_of.handler == handler, _of.event.in_(self._oldest)))
            kept.update(connection.scalars(select(_of.event).where(*ours)))
        gone = [sequence for sequence in self._sequences if sequence not in kept]
        connection.execute(delete(events).where(events.c.sequence.in_(gone)))
