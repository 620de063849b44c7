"""The example validator and its business rule."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from examples.spam import classify, detect
from examples.spam.plugins import LinkAndPrize, LinkAndPrizeConfig
from hotplane.config import load_config
from hotplane.plugins import ValidationContext
from hotplane.plugins.checking import check_plugin_class
from hotplane.records import Execution, ExecutionStatus, Task, ValidationResult, now
from hotplane.schemas import Schema
from hotplane.values import Json

CONFIG = Path(__file__).parents[4] / "examples" / "spam" / "hotplane.yaml"
PRIZE = "Claim your prize at www.prizes.example"


def judge(text: Json, output: Json, config: LinkAndPrizeConfig | None = None) -> ValidationResult:
    """Run the validator on an execution with this text and output."""
    task = Task(id="t", program="examples.spam:classify")
    execution = Execution(
        id="e", task_id="t", program=task.program, status=ExecutionStatus.SUCCESS, started_at=now(),
        input={"text": text}, output=output,
    )  # fmt: skip
    plugin = LinkAndPrize(config)
    context = ValidationContext(
        task=task, input_schema=Schema(True), output_schema=Schema(True), configuration=plugin.config
    )
    return plugin.validate(execution, context)


def test_a_host_accepts_the_class():
    """The class fulfils the contract of its kind."""
    assert check_plugin_class(LinkAndPrize) is LinkAndPrize


def test_a_link_with_a_prize_must_not_be_ham():
    """The rule reports the label, with a pointer and a stable code."""
    verdict = judge(PRIZE, "ham")
    assert verdict.valid is False
    assert [(error.code, error.pointer) for error in verdict.errors] == [("link-and-prize", "")]
    assert verdict.metadata == {"prize_words": ["claim", "prize"]}


def test_the_pointer_follows_the_shape_of_the_output():
    """A detailed answer is judged by its label, and the error points there."""
    verdict = judge(PRIZE, {"label": "ham", "score": 0.2})
    assert [error.pointer for error in verdict.errors] == ["/label"]


@pytest.mark.parametrize(
    ("text", "output"),
    [(PRIZE, "spam"), ("We won a prize at the fair", "ham"), ("see www.recipes.example", "ham"), ("hi", "ham")],
)
def test_the_rule_has_nothing_against_the_rest(text: str, output: str):
    """Spam labels, prizes without a link and links without a prize are fine."""
    assert judge(text, output).valid is True


@pytest.mark.parametrize("output", [None, 7, {}, {"label": None}, ["ham"]])
def test_without_a_label_it_does_not_judge(output: Json):
    """An output that holds no label is not judged."""
    assert judge(PRIZE, output).valid is None


def test_the_words_can_be_configured():
    """Only the configured words promise a prize."""
    config = LinkAndPrizeConfig(prize_words=frozenset({"treasure"}))
    assert judge(PRIZE, "ham", config).valid is True
    assert judge("treasure at www.x.example", "ham", config).valid is False


def test_no_words_at_all_are_refused():
    """A rule without words could never fail."""
    with pytest.raises(ValidationError, match="prize_words"):
        LinkAndPrizeConfig(prize_words=frozenset())


def test_the_configuration_activates_two_validators_and_two_samplers():
    """The project's own configuration loads, and enables what the demo shows."""
    plugins = load_config(CONFIG, environ={}).config.plugins
    assert [entry.name for entry in plugins.validators if entry.enabled] == ["json-schema-validator", "link-and-prize"]
    assert [entry.name for entry in plugins.samplers if entry.enabled] == ["percentage-sampler", "time-based-sampler"]


@pytest.mark.parametrize(("index", "program"), [(0, classify), (1, detect)])
def test_the_programs_fit_their_schemas(index: int, program: Callable[[dict[str, str]], Json]):
    """What each task's program answers is what its output schema promises."""
    task = load_config(CONFIG, environ={}).config.tasks[index]
    assert task.program == f"examples.spam:{program.__name__}"
    for text in ("hi", PRIZE, "£" * 1600):
        assert Schema(task.input_schema).problems({"text": text}) == ()
        assert Schema(task.output_schema).problems(program({"text": text})) == ()


@pytest.mark.parametrize("input", [{}, {"text": ""}, {"text": 1}, {"text": "a" * 1601}, {"text": "a", "to": "b"}, "a"])
def test_inputs_that_are_no_message_are_refused(input: Json):
    """The input schema wants a text of 1 to 1 600 characters and nothing else."""
    assert Schema(load_config(CONFIG, environ={}).config.tasks[0].input_schema).problems(input)
