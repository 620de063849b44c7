"""How a broken promise is reported. Imports nothing."""

from __future__ import annotations

__all__ = ["ContractBroken", "require"]


class ContractBroken(AssertionError):
    """A plugin breaks its kind's contract; the message says which promise, and how to keep it."""


def require(kept: bool, otherwise: str) -> None:
    """Raise `ContractBroken` with the sentence `otherwise` unless a promise is kept."""
    if not kept:
        raise ContractBroken(otherwise)
