"""How alike two texts are. Imports only `errors` and `values`; rapidfuzz when it is needed."""

from __future__ import annotations

import msgspec

from hotplane.errors import MissingExtra
from hotplane.values import Json

__all__ = ["Similarity"]


class Similarity:
    """The normalised Indel similarity of two values: 1 where they are equal, 0 where they have nothing in common.

    Texts are compared as they are, other values as JSON with sorted keys.

    Args:
        max_characters: Longer texts are not compared.

    Raises:
        MissingExtra: rapidfuzz is not installed.
    """

    def __init__(self, max_characters: int) -> None:
        try:
            from rapidfuzz.distance import Indel
        except ImportError as missing:
            raise MissingExtra("Comparing texts by likeness", "validators") from missing
        self._similarity = Indel.normalized_similarity
        self._max_characters = max_characters

    def of(self, expected: Json, actual: Json, cutoff: float) -> float | None:
        """Return the similarity, 0 where it is below `cutoff`; None where a text is too long to tell."""
        left, right = _text(expected), _text(actual)
        if max(len(left), len(right)) > self._max_characters:
            return None
        return self._similarity(left, right, score_cutoff=cutoff)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, order="deterministic").decode()
