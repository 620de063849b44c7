"""A validator that is meant to be edited while the program runs: change `FORBIDDEN`, save, and see."""

from __future__ import annotations

from hotplane import Execution, PluginMetadata, ValidationResult, Validator
from hotplane.plugins import ValidationContext

FORBIDDEN = {"idiot"}


class Politeness(Validator):
    """Refuses answers with a word that nobody likes to read."""

    metadata = PluginMetadata(name="politeness", version="1.0", description="Refuses impolite answers.")

    def validate(self, execution: Execution, context: ValidationContext) -> ValidationResult:
        """Judge the answer."""
        del context
        found = sorted(FORBIDDEN & set(str(execution.output).lower().split()))
        return ValidationResult(valid=not found, message=f"it says {', '.join(found)}" if found else "it is polite")
