"""Text that is safe to print on a terminal, whoever wrote it. Imports nothing."""

from __future__ import annotations

import re

__all__ = ["printable"]

# C0 and C1 controls, and the marks that turn the direction of text: with them a stored input could move the
# cursor, set the window's title, or make one line look like another one.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str, *, keep: str = "") -> str:
    r"""Return `text` with everything that would act on a terminal written as an escape, such as ``\x1b``.

    Args:
        text: Any text.
        keep: Control characters to leave alone, such as a line's end.
    """
    return _UNSAFE.sub(lambda found: found[0] if found[0] in keep else _escaped(found[0]), text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
