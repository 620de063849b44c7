"""Counting the answers."""

from msgspec import UNSET

from examples.demo.tally import LABEL_VALIDATOR, Phase, Tally
from hotplane.records import (
    Attempt,
    Execution,
    ExecutionStatus,
    FieldError,
    SamplerOutcome,
    SamplerVote,
    SamplingDecision,
    ValidationResult,
    now,
)
from hotplane.values import Json

PICKED = SamplingDecision(
    sampled=True, sampler="percentage-sampler", probability=0.5, probability_sampled=True,
    votes=(SamplerVote(sampler="percentage-sampler", outcome=SamplerOutcome.SAMPLED, designated=True),
           SamplerVote(sampler="time-based-sampler", outcome=SamplerOutcome.NOT_CONSULTED)),
)  # fmt: skip
BY_TIME = SamplingDecision(sampled=True, sampler="time-based-sampler", probability=0.5, probability_sampled=False)
LEFT = SamplingDecision(sampled=False, probability=0.5)


def execution(
    output: Json = "ham",
    *,
    sampling: SamplingDecision | None = LEFT,
    validations: tuple[ValidationResult, ...] = (),
    valid: bool | None = None,
    status: ExecutionStatus = ExecutionStatus.SUCCESS,
    id: str = "e1",
    attempts: tuple[Attempt, ...] = (),
) -> Execution:
    """Return a record."""
    return Execution(
        id=id, task_id="t", program="m:f", status=status, input={}, output=output, latency_ms=2.0,
        started_at=now(), sampling=sampling, validations=validations, valid=valid,
        attempts=attempts,
    )  # fmt: skip


def judged(valid: bool | None, validator: str = LABEL_VALIDATOR) -> tuple[ValidationResult, ...]:
    """Return one validator's verdict."""
    errors = (FieldError(message="expected spam, got ham", code="expected"),) if valid is False else ()
    return (ValidationResult(valid=valid, validator=validator, errors=errors),)


def test_true_accuracy_counts_every_labelled_success():
    """Sampled or not, an output that equals its label is right; a failed execution never is."""
    tally = Tally()
    tally.add(execution("ham"), "ham", 1.0, Phase.BEFORE)
    tally.add(execution("ham"), "spam", 1.0, Phase.BEFORE)
    tally.add(execution(None, status=ExecutionStatus.ERROR), None, 1.0, Phase.BEFORE)
    tally.add(execution("ham"), UNSET, 1.0, Phase.BEFORE)
    assert (tally.right, tally.labelled) == (1, 3)
    assert tally.accuracy == 1 / 3


def test_without_labels_accuracy_is_unknown():
    """Nothing is claimed where nothing can be known; validity is estimated all the same."""
    tally = Tally()
    tally.add(execution(sampling=PICKED, validations=judged(True), valid=True), UNSET, 1.0, Phase.BEFORE)
    assert tally.accuracy is None
    assert tally.estimated_accuracy is None
    assert tally.estimated_validity is not None


def test_only_what_the_probability_sampler_picked_is_extrapolated():
    """A record that the time-based sampler picked is shown, and is no base for the estimate."""
    tally = Tally()
    tally.add(execution(sampling=PICKED, validations=judged(True), valid=True), "ham", 1.0, Phase.BEFORE)
    tally.add(execution(sampling=BY_TIME, validations=judged(False), valid=False), "spam", 1.0, Phase.BEFORE)
    estimate = tally.estimated_accuracy
    assert estimate is not None
    assert (estimate.share, estimate.count) == (1.0, 1)
    assert tally.samplers == {"percentage-sampler": 1, "time-based-sampler": 1}


def test_the_estimate_of_accuracy_rests_on_the_label_validator_alone():
    """A business rule may object to a right label: that lowers validity, not accuracy."""
    tally = Tally()
    validations = judged(True) + judged(False, "link-and-prize")
    tally.add(execution(sampling=PICKED, validations=validations, valid=False), "ham", 1.0, Phase.BEFORE)
    assert tally.estimated_accuracy is not None
    assert tally.estimated_accuracy.share == 1.0
    assert tally.estimated_validity is not None
    assert tally.estimated_validity.share == 0.0


def test_what_could_not_be_judged_is_counted_apart():
    """A validator that could not judge leaves its record out of the estimate, and says so."""
    tally = Tally()
    tally.add(execution(sampling=PICKED, validations=judged(None), valid=None), "ham", 1.0, Phase.BEFORE)
    assert tally.estimated_accuracy is None
    assert tally.unjudged == 1
    assert tally.verdicts == {None: 1}


def test_reasons_name_the_validator_and_its_first_error():
    """Invalid executions are counted by who objected and why, and the first is remembered."""
    tally = Tally()
    for name in ("e1", "e2"):
        record = execution(sampling=PICKED, validations=judged(False), valid=False, id=name)
        tally.add(record, "spam", 1.0, Phase.BEFORE)
    assert tally.reasons == {(LABEL_VALIDATOR, "expected spam, got ham"): 2}
    assert tally.an_invalid == "e1"


def test_the_runner_of_the_last_attempt_had_the_answer():
    """Where an execution moved on, the one that answered counts."""
    tally = Tally()
    attempts = (
        Attempt(runner="valkyrie", outcome="lost", latency_ms=1.0),
        Attempt(runner="http", outcome="success", latency_ms=1.0),
    )
    tally.add(execution(attempts=attempts), "ham", 1.0, Phase.BEFORE)
    assert tally.runners == {"http": 1}


def test_failed_executions_are_all_but_successes_and_rejected_inputs():
    """An error and a timeout failed; an input that did not fit is its sender's fault."""
    tally = Tally()
    for status in (ExecutionStatus.SUCCESS, ExecutionStatus.ERROR, ExecutionStatus.TIMEOUT):
        tally.add(execution(status=status), "ham", 1.0, Phase.BEFORE)
    tally.refuse("422 Input rejected", 1.0, rejected=True)
    assert tally.failed == 2
    assert tally.done == 4


def test_phases_are_told_apart():
    """Who was consulted and in which order validators ran is counted before and after the change."""
    tally = Tally()
    tally.add(execution(sampling=PICKED, validations=judged(True), valid=True), "ham", 1.0, Phase.BEFORE)
    tally.add(execution(), "ham", 1.0, Phase.AFTER)
    assert tally.consulted[Phase.BEFORE]["time-based-sampler"] == 1
    assert tally.consulted[Phase.AFTER]["time-based-sampler"] == 0
    assert tally.orders[Phase.BEFORE] == {(LABEL_VALIDATOR,): 1}
    assert tally.phases == {Phase.BEFORE: 1, Phase.AFTER: 1}


def test_refusals_are_done_but_are_no_executions():
    """A rejected input is a status, other refusals are counted by title, and the server's failures apart."""
    tally = Tally()
    tally.refuse("422 Input rejected", 1.0, rejected=True)
    tally.refuse("413 Too large", 1.0)
    tally.refuse("503 Overloaded", 1.0, failed=True)
    assert tally.done == 3
    assert tally.statuses == {"rejected": 1}
    assert tally.refusals == {"413 Too large": 1, "503 Overloaded": 1}
    assert tally.failures == {"503 Overloaded": 1}
