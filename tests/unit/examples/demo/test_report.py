"""The summary and the progress, as text."""

import io

from msgspec import UNSET
from rich.console import Console

from examples.demo.display import Display
from examples.demo.drive import Swap
from examples.demo.report import print_summary
from examples.demo.tally import LABEL_VALIDATOR, Phase, Tally
from hotplane.records import (
    Execution,
    ExecutionStatus,
    FieldError,
    SamplerOutcome,
    SamplerVote,
    SamplingDecision,
    ValidationResult,
    now,
)

SWAP = Swap("time-based-sampler", "link-and-prize", 50, 200)
PICKED = SamplingDecision(
    sampled=True, sampler="percentage-sampler", probability=0.3, probability_sampled=True,
    votes=(SamplerVote(sampler="percentage-sampler", outcome=SamplerOutcome.SAMPLED, designated=True),),
)  # fmt: skip


def record(valid: bool) -> Execution:
    """Return a sampled record."""
    errors = () if valid else (FieldError(message="[bold]expected spam"),)
    validation = ValidationResult(valid=valid, validator=LABEL_VALIDATOR, errors=errors)
    return Execution(
        id="e", task_id="t", program="m:f", status=ExecutionStatus.SUCCESS, input={}, output="ham",
        latency_ms=3.0, started_at=now(), sampling=PICKED, validations=(validation,), valid=valid,
    )  # fmt: skip


def summary(tally: Tally) -> str:
    """Return the printed summary."""
    console = Console(file=io.StringIO(), width=200)
    print_summary(console, tally, SWAP, 2.0)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_summary_holds_every_figure():
    """Executions, latencies, samples, reasons, estimate and truth are all there, and markup in reasons is text."""
    tally = Tally()
    for index in range(10):
        tally.add(record(index > 0), "ham" if index else "spam", 5.0, Phase.BEFORE if index < 5 else Phase.AFTER)
    text = summary(tally)
    for part in (
        "10 success; 5/s over 2.0 s", "p50 3.00 ms, p90 3.00 ms, p99 3.00 ms", "p50 5.00 ms",
        "10 of 10: 10 percentage-sampler", "9 of 10 sampled", f"1x {LABEL_VALIDATOR}: [bold]expected spam",
        "90.0% (95 % interval 59.6% to 98.2%; 10 picked", "90.0% (9 of 10 labelled)",
        f"({LABEL_VALIDATOR}) → ({LABEL_VALIDATOR})",
    ):  # fmt: skip
        assert part in text


def test_a_run_without_labels_and_samples_says_so():
    """What is not known is called unknown."""
    tally = Tally()
    tally.add(
        Execution(id="e", task_id="t", program="m:f", status=ExecutionStatus.ERROR, input={}, started_at=now()),
        UNSET, 1.0, Phase.AFTER,
    )  # fmt: skip
    text = summary(tally)
    assert "1 error" in text
    assert "unknown: no message has an `expected` label" in text
    assert "picked nothing that was judged" in text


def test_a_run_in_which_everything_was_refused_still_has_a_summary():
    """Without any execution there are no latencies of the server, and nothing breaks."""
    tally = Tally()
    tally.refuse("413 Too large", 1.0)
    assert "1 413 Too large" in summary(tally)


def test_without_a_terminal_progress_is_plain_lines():
    """No escape sequences reach a file, and the last line says that all is done."""
    console = Console(file=io.StringIO(), width=80)
    tally = Tally()
    with Display(console, 1) as display:
        tally.add(record(valid=True), "ham", 1.0, Phase.BEFORE)
        display.update(tally)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.startswith("1/1 executed, ")
    assert "\x1b" not in text


def test_on_a_terminal_progress_is_a_bar():
    """A terminal gets a live line with the counts so far."""
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    tally = Tally()
    with Display(console, 2) as display:
        tally.add(record(valid=True), "ham", 1.0, Phase.BEFORE)
        display.update(tally)
        display.say("half-way")
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "1/2" in text
    assert "valid 1" in text
    assert "half-way" in text
