"""What a check is, and how its outcome is told. Imports nothing but its sibling `broken`."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

__all__ = ["Check", "NotChecked", "Outcome"]


class Outcome(StrEnum):
    """What came of a check."""

    OK = "ok"
    PROBLEM = "problem"
    SKIPPED = "skipped"
    """It could not be checked; the detail says why."""


class Check(Struct, frozen=True, kw_only=True):
    """One promise of the contract, and whether the plugin keeps it."""

    name: str
    outcome: Outcome
    detail: str = ""
    """A sentence; empty where there is nothing to say."""


class NotChecked(Exception):
    """Something is missing without which a promise cannot be checked; the message says what."""
