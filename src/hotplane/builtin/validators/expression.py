"""`expression-validator`: rules over input and output, written in CEL. Imports only `plugins` and below."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct
from pydantic import Field, field_validator

from hotplane.builtin.validators.places import Place
from hotplane.builtin.validators.rules import MAX_CHARACTERS, Compiled, Undecided, Variables, compiled
from hotplane.plugins import Config, ValidationContext, Validator
from hotplane.records import Execution, ExecutionStatus, FieldError, PluginMetadata, ValidationResult
from hotplane.values import Json

__all__ = ["ExpressionConfig", "ExpressionValidator", "Rule"]


class Rule(Config):
    """One thing that has to be true."""

    expression: Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS)]
    """CEL, over `input`, `output`, `expected`, `status`, `latency_ms` and `task` (its id); true or false."""
    message: Annotated[str, Field(max_length=1_000)] = ""
    """What to say when it is false. Left away: the expression."""
    pointer: Place = ""
    """JSON Pointer into the output, to the part that the rule is about."""

    @field_validator("expression")
    @classmethod
    def _compiles(cls, expression: str) -> str:
        compiled(expression)
        return expression


class ExpressionConfig(Config):
    """What `expression-validator` asks."""

    rules: Annotated[tuple[Rule, ...], Field(max_length=100)]
    """All of them have to be true; at least one."""
    successful_only: bool = True
    """Whether executions without an output are left out; otherwise their `output` is null."""
    max_items: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Items, at all depths, that the values which a rule uses may have; with more of them it is not judged."""
    max_steps: Annotated[int, Field(ge=1, le=10_000_000)] = 250_000
    """Turns that loops inside one another may take; with more of them it is not judged."""

    @field_validator("rules")
    @classmethod
    def _some(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        # As `min_length` it would be reported beside every rule that cannot be read, too.
        if not rules:
            raise ValueError("there is no rule; write at least one")
        return rules


class _Ready(Struct, frozen=True):
    """A rule with its program."""

    index: int
    rule: Rule
    program: Compiled

    def ask(self, variables: Variables) -> FieldError | str | None:
        """Return None where the rule holds, an error where it is false, the reason where it cannot be decided."""
        try:
            holds = variables.decide(self.program)
        except Undecided as why:
            return f"rule {self.index} (`{self.rule.expression}`) cannot be decided: {why}"
        if holds:
            return None
        message = self.rule.message or f"not so: {self.rule.expression}"
        return FieldError(code="rule", message=message, pointer=self.rule.pointer)


class ExpressionValidator(Validator[ExpressionConfig]):
    """Judges an execution by rules: false where one is false, null where one comes to no answer, else true.

    A rule that uses `expected` is left out where the caller expects nothing, one that uses `latency_ms` where nothing
    ran.
    """

    metadata = PluginMetadata(
        name="expression-validator",
        version="0.1.0",
        description="Checks rules over input and output, written in the Common Expression Language.",
        author="The Hotplane developers",
    )
    priority = 80

    def __init__(self, config: ExpressionConfig | None = None) -> None:
        super().__init__(config)
        self._rules = tuple(
            _Ready(index, rule, compiled(rule.expression)) for index, rule in enumerate(self.config.rules)
        )

    def validate(self, execution: Execution, context: ValidationContext) -> ValidationResult:
        """Judge `execution`; every rule that is false is listed."""
        if self.config.successful_only and execution.status is not ExecutionStatus.SUCCESS:
            message = f"the execution ended as {execution.status.value}: there is no output to judge"
            return ValidationResult(valid=None, applies=False, message=message)
        variables = self._variables(execution, context)
        answers = [each.ask(variables) for each in self._rules if variables.know(each.program.uses)]
        if not answers:
            return ValidationResult(valid=None, applies=False, message=_left_out(context))
        return _verdict(answers)

    def _variables(self, execution: Execution, context: ValidationContext) -> Variables:
        values: dict[str, Json] = {
            "input": execution.input,
            "output": execution.output,
            "status": execution.status.value,
            "task": execution.task_id,
        }
        if context.ran:
            values["latency_ms"] = execution.latency_ms
        if context.expected is not UNSET:
            values["expected"] = context.expected
        return Variables(values, max_items=self.config.max_items, max_steps=self.config.max_steps)


def _left_out(context: ValidationContext) -> str:
    """Say why no rule could be asked."""
    reasons = {
        "the caller expects no particular output": context.expected is UNSET,
        "nothing ran, so that there is no latency": not context.ran,
    }
    return "; ".join(reason for reason, holds in reasons.items() if holds)


def _verdict(answers: list[FieldError | str | None]) -> ValidationResult:
    errors = tuple(answer for answer in answers if isinstance(answer, FieldError))
    undecided = [answer for answer in answers if isinstance(answer, str)]
    said = [error.message for error in errors] + undecided
    return ValidationResult(
        valid=False if errors else None if undecided else True,
        message="; ".join(said) if said else f"{len(answers)} rules hold" if len(answers) != 1 else "1 rule holds",
        errors=errors,
    )
