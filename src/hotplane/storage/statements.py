"""Statements that more than one part of the room writes with. Imports nothing of Hotplane."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Executable, Table, and_, delete, insert

__all__ = ["matching", "replace_row"]


def matching(table: Table, keys: Mapping[str, str]) -> ColumnElement[bool]:
    """Return the condition that the named columns have these values."""
    return and_(*(table.c[name] == value for name, value in keys.items()))


def replace_row(table: Table, keys: Mapping[str, str], body: bytes) -> tuple[Executable, ...]:
    """Return what puts `body` under `keys`, whether or not something is there.

    Every dialect spells an upsert differently. Writers wait for each other, so that deleting and inserting in one
    transaction is the same.
    """
    return delete(table).where(matching(table, keys)), insert(table).values(**keys, body=body)
