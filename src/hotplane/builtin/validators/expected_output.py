"""`expected-output`: is the output what the caller expects, exactly or nearly? Imports only `plugins` and below.

Four ways to compare: `exact`, `structured` (key order and 1 against 1.0 do not matter), `numeric` (numbers may differ
a little) and `fuzzy` (texts may differ a little; needs the extra `validators`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET
from pydantic import Field

from hotplane.builtin.validators.comparing import Tolerance, exactly, nearly, structurally
from hotplane.builtin.validators.places import Place, value_at
from hotplane.builtin.validators.similarity import Similarity
from hotplane.plugins import Config, PluginContext, ValidationContext, Validator
from hotplane.records import Execution, ExecutionStatus, FieldError, PluginMetadata, ValidationResult
from hotplane.values import Json

__all__ = ["ExpectedOutputConfig", "ExpectedOutputValidator"]

_Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class ExpectedOutputConfig(Config):
    """How `expected-output` compares."""

    mode: Literal["exact", "structured", "numeric", "fuzzy"] = "structured"
    """`exact`: the same JSON text, written compactly and in the same key order. `structured`: equal as JSON values.
    `numeric`: as `structured`, but numbers may differ within the tolerances. `fuzzy`: texts are at least `threshold`
    alike."""
    pointer: Place = ""
    """JSON Pointer to the part of both outputs that is compared; empty for the whole."""
    rel_tol: _Fraction = 1e-9
    """`numeric`: difference that is allowed, as a share of the larger number (as in `math.isclose`)."""
    abs_tol: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """`numeric`: difference that is always allowed; needed where the expected number may be 0."""
    threshold: _Fraction = 0.9
    """`fuzzy`: how alike both texts have to be, from 0 to 1 (rapidfuzz's normalised Indel similarity)."""
    max_characters: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    """`fuzzy`: longer texts are not compared, because the time grows with the product of both lengths."""


class ExpectedOutputValidator(Validator[ExpectedOutputConfig]):
    """Judges an execution by comparing its output with the expected one.

    Where the caller expects nothing, or the execution has no output, there is nothing to judge: the result is left
    out of the verdict.
    """

    metadata = PluginMetadata(
        name="expected-output",
        version="0.1.0",
        description="Compares the output with the expected one: exact, structured, numeric or fuzzy.",
        author="The Hotplane developers",
    )
    priority = 90

    def start(self, context: PluginContext) -> None:
        """Load what comparing needs.

        Raises:
            MissingExtra: The mode is `fuzzy`, and its library is not installed.
        """
        del context
        if self.config.mode == "fuzzy":
            self._similarity = Similarity(self.config.max_characters)

    def validate(self, execution: Execution, context: ValidationContext) -> ValidationResult:
        """Judge `execution`."""
        if context.expected is UNSET:
            return ValidationResult(valid=None, applies=False, message="the caller expects no particular output")
        if execution.status is not ExecutionStatus.SUCCESS:
            message = f"the execution ended as {execution.status.value}: there is no output to compare"
            return ValidationResult(valid=None, applies=False, message=message)
        place = self.config.pointer
        expected, actual = value_at(context.expected, place), value_at(execution.output, place)
        if expected is UNSET:
            return ValidationResult(valid=None, applies=False, message=f"nothing is expected at {place}")
        if actual is UNSET:
            return _differs("the output has nothing there", place)
        return self._compare(expected, actual)

    def _compare(self, expected: Json, actual: Json) -> ValidationResult:
        config = self.config
        if config.mode == "fuzzy":
            return self._alike(expected, actual)
        if config.mode == "exact":
            difference = exactly(expected, actual)
        elif config.mode == "structured":
            difference = structurally(expected, actual)
        else:
            difference = nearly(expected, actual, Tolerance(config.rel_tol, config.abs_tol))
        if difference is not None:
            return _differs(str(difference), config.pointer + difference.pointer)
        return ValidationResult(valid=True, message="as expected")

    def _alike(self, expected: Json, actual: Json) -> ValidationResult:
        score = self._similarity.of(expected, actual, self.config.threshold)
        if score is None:
            limit = self.config.max_characters
            return ValidationResult(valid=None, message=f"a text is longer than {limit} characters (max_characters)")
        wanted = self.config.threshold
        if score < wanted:
            return _differs(f"it is less than {wanted:.0%} like the expected text", self.config.pointer)
        return ValidationResult(valid=True, message=f"{score:.1%} alike", metadata={"similarity": score})


def _differs(message: str, place: str) -> ValidationResult:
    error = FieldError(code="expected", message=message, pointer=place)
    return ValidationResult(valid=False, message=f"{message} (at {place})" if place else message, errors=(error,))
