"""A validator that refuses texts with hollow words; an example of a plugin that is installed as a distribution."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from hotplane import Config, Execution, PluginMetadata, ValidationResult, Validator
from hotplane.plugins import ValidationContext
from hotplane.records import FieldError

__all__ = ["PlainLanguage", "PlainLanguageConfig"]


class PlainLanguageConfig(Config):
    """Which words are hollow."""

    words: Annotated[frozenset[str], Field(min_length=1)] = frozenset({"leverage", "seamless", "synergy", "utilize"})
    """In lower case."""


class PlainLanguage(Validator[PlainLanguageConfig]):
    """Refuses texts with hollow words."""

    metadata = PluginMetadata(
        name="plain-language",
        version="1.2.0",
        description="Refuses texts with hollow words.",
        author="The Hotplane developers",
        requires_host=">=0.1",
    )

    def validate(self, execution: Execution, context: ValidationContext) -> ValidationResult:
        """Judge a text; there is nothing to judge in anything else."""
        del context
        if not isinstance(execution.output, str):
            return ValidationResult(valid=None, applies=False, message="there is no text")
        found = sorted(self.config.words.intersection(re.findall(r"\w+", execution.output.lower())))
        errors = tuple(FieldError(message=f"{word!r} is a hollow word", code="hollow-word") for word in found)
        return ValidationResult(valid=not errors, errors=errors, message=", ".join(each.message for each in errors))
