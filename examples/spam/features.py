"""What the detector looks at in a message. Standard library only.

A message becomes a set of features: the words in it, and the signs that survive any wording, such as a link or
a price per minute. Whether a feature occurs counts, not how often.
"""

from __future__ import annotations

import re

__all__ = ["SIGNS", "features", "words"]

SIGNS: dict[str, re.Pattern[str]] = {
    "a link": re.compile(
        r"(?:https?://|\bwww\.)\S+|\b[a-z0-9][a-z0-9-]*\.(?:com|net|org|info|biz|tv|uk|in|me|example)\b\S*",
        re.IGNORECASE,
    ),
    "an amount of money": re.compile(
        r"[£$€₹]\s?\d|\b(?:rs\.?|usd|gbp|inr)\s?\d|\d\s?(?:pounds|dollars|lakhs?|rupees)\b", re.IGNORECASE
    ),
    "a long number": re.compile(r"(?<!\d)\+?\d(?:[\s-]?\d){9,}"),
    "a five-digit short code": re.compile(r"(?<![\d£$₹.,])[5-8]\d{4}(?!\d)"),
    "a price per message, minute or week": re.compile(
        r"\b\d+\s?p\b|\d\s?pp?m\b|\d\s?p/|(?:/|\bper\s?)(?:msg|message|min|minute|txt|text|week|wk|month|day)\b",
        re.IGNORECASE,
    ),
    "a word to text back": re.compile(r"\b(?i:text|txt|reply|send|sms)\s+(?i:back\s+)?[\"']?[A-Z]{2,}\b"),
    "a way to opt out": re.compile(r"\bSTOP\b|\bunsubscribe\b|\bopt.?out\b"),
    "an age limit": re.compile(r"\b1[68]\s?(?:\+|only\b|yrs\b)|\bover\s1[68]", re.IGNORECASE),
    "a percentage": re.compile(r"\d\s?%"),
    "several exclamation marks": re.compile(r"!.*!", re.DOTALL),
}
"""What spam gives away by its form, by the words in which a reason names it."""

SHOUTING = "words in capital letters"
_SHOUT_RATIO = 0.25
_SHOUT_LETTERS = 20
_LONG, _SHORT = 110, 45

_WORD = re.compile(r"[a-z][a-z']*")


def words(text: str) -> list[str]:
    """Return the words of a message in lower case; links and digits are left to the signs."""
    return _WORD.findall(SIGNS["a link"].sub(" ", text).lower().replace("\u2019", "'"))


def features(text: str) -> frozenset[str]:
    """Return the features of a message: its words, prefixed with ``=``, and the signs in it."""
    found = {f"={word}" for word in words(text)}
    found.update(name for name, pattern in SIGNS.items() if pattern.search(text))
    if _shouts(text):
        found.add(SHOUTING)
    found.add("length: long" if len(text) > _LONG else "length: short" if len(text) < _SHORT else "length: medium")
    return frozenset(found)


def _shouts(text: str) -> bool:
    letters = [letter for letter in text if letter.isalpha()]
    return len(letters) >= _SHOUT_LETTERS and sum(map(str.isupper, letters)) > _SHOUT_RATIO * len(letters)
