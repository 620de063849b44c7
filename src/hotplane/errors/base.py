"""What every error is: a message from its docstring, a stable code, and problems with their places.

Imports nothing of Hotplane.
"""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import ClassVar

__all__ = [
    "HotplaneError",
    "MissingExtra",
    "Problem",
    "did_you_mean",
]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known word, or ``""`` when none is close."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input: where it is and how to mend it."""

    message: str
    """A sentence for a person."""
    pointer: str = ""
    """JSON Pointer (RFC 6901) into the offending document; empty for the whole of it."""
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        """Return the problem as one line, ``file:line: message (at pointer)``."""
        place = f"{self.file}:{self.line}: " if self.file and self.line else f"{self.file}: " if self.file else ""
        return f"{place}{self.message}" + (f" (at {self.pointer})" if self.pointer else "")


class HotplaneError(Exception):
    """Something went wrong in Hotplane; the message says what and how to mend it."""

    code: ClassVar[str] = "hotplane-error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self._default_message())

    def _default_message(self) -> str:
        words = " ".join(inspect.cleandoc(type(self).__doc__ or "").split())
        text = words.format(**vars(self))
        return text[:-1] if text.endswith("..") else text  # a reason may be a whole sentence


class MissingExtra(HotplaneError):
    """{feature} needs packages that are not installed. Run: pip install 'hotplane[{extra}]'"""

    code = "missing-extra"

    def __init__(self, feature: str, extra: str) -> None:
        self.feature = feature
        self.extra = extra
        super().__init__()
