"""A validator for this project's own business rule: an example of a plugin in forty lines.

The schema validator knows whether a label *is* a label. This one knows something about spam: whoever sends a
link together with the promise of a prize is not a friend. It imports only what plugin authors need.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import Field

from examples.spam.features import SIGNS, words
from hotplane.plugins import Config, ValidationContext, Validator
from hotplane.records import Execution, FieldError, PluginMetadata, ValidationResult
from hotplane.values import Json

__all__ = ["LinkAndPrize", "LinkAndPrizeConfig"]

_LINK: re.Pattern[str] = SIGNS["a link"]


class LinkAndPrizeConfig(Config):
    """Which words promise a prize."""

    prize_words: frozenset[str] = Field(
        default=frozenset(
            {"award", "bonus", "cash", "claim", "jackpot", "prize", "reward", "voucher", "win", "winner"}
        ),
        min_length=1,
        description="Words, in lower case, that promise a prize.",
    )


class LinkAndPrize(Validator[LinkAndPrizeConfig]):
    """Refuses the label ``ham`` for a message with a link and a word that promises a prize."""

    metadata = PluginMetadata(
        name="link-and-prize",
        version="1.0.0",
        description="A message with a link and a prize word must not be ham.",
        author="The Hotplane developers",
        requires_host=">=0.1",
    )

    def validate(self, execution: Execution, context: ValidationContext) -> ValidationResult:
        """Judge the label against the message."""
        del context  # the rule needs no more than the record
        label, pointer = _label(execution.output)
        if label is None:
            return ValidationResult(valid=None, message="there is no label to judge")
        promises = sorted(self.config.prize_words.intersection(words(_text(execution.input))))
        if label != "ham" or not promises or not _LINK.search(_text(execution.input)):
            return ValidationResult(valid=True)
        message = f"a message with a link and the word {promises[0]!r} must not be ham"
        return ValidationResult(
            valid=False,
            message=message,
            errors=(FieldError(message=message, pointer=pointer, code="link-and-prize"),),
            confidence=0.9,
            metadata={"prize_words": promises},
        )


def _label(output: Json) -> tuple[str | None, str]:
    """Return the label and the pointer to it: tasks answer with a bare label or with details."""
    if isinstance(output, Mapping):
        label = output.get("label")
        return (label if isinstance(label, str) else None), "/label"
    return (output if isinstance(output, str) else None), ""


def _text(input: Json) -> str:
    text = input.get("text") if isinstance(input, Mapping) else None
    return text if isinstance(text, str) else ""
