"""The program's own work: a function that answers."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["answer"]


def answer(question: Mapping[str, str]) -> str:
    """Answer a question."""
    return f"You fool {question['name']} it is late"
