"""The summary and the progress, as text."""

import io

from msgspec import UNSET
from rich.console import Console

from examples.demo.display import Display
from examples.demo.drive import Swap
from examples.demo.report import print_summary, print_traffic, shortfall
from examples.demo.tally import LABEL_VALIDATOR, Phase, Tally
from examples.demo.traffic import Stage, Traffic
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

SWAP = Swap("time-based-sampler", "link-and-prize", 50, 200)
PICKED = SamplingDecision(
    sampled=True, sampler="percentage-sampler", probability=0.3, probability_sampled=True,
    votes=(SamplerVote(sampler="percentage-sampler", outcome=SamplerOutcome.SAMPLED, designated=True),),
)  # fmt: skip


def record(valid: bool = True, runner: str = "local") -> Execution:
    """Return a sampled record."""
    errors = () if valid else (FieldError(message="[bold]expected spam"),)
    validation = ValidationResult(valid=valid, validator=LABEL_VALIDATOR, errors=errors)
    return Execution(
        id="e", task_id="t", program="m:f", status=ExecutionStatus.SUCCESS, input={}, output="ham",
        latency_ms=3.0, started_at=now(), sampling=PICKED, validations=(validation,), valid=valid,
        attempts=(Attempt(runner=runner, outcome="success", latency_ms=1.0),),
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


def test_a_run_that_was_slow_on_purpose_claims_no_rate():
    """The rate would say nothing of the server."""
    console = Console(file=io.StringIO(), width=200)
    print_summary(console, Tally(), SWAP, 2.0, paced=True)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "sent slowly on purpose, over 2.0 s" in text
    assert "/s over" not in text


def outage(*stages: tuple[Stage, str]) -> str:
    """Return what is printed of an outage with one answer of a runner in each stage, a second apart."""
    seconds = iter(range(1000))
    traffic = Traffic(lambda line: None, lambda: float(next(seconds)))
    for stage, runner in stages:
        traffic.begin(stage)
        traffic.add(record(runner=runner))
    console = Console(file=io.StringIO(), width=200)
    print_traffic(console, traffic)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_outage_is_a_table_of_stages_and_runners():
    """Every stage has its counts; fail-over and return have their times."""
    text = outage((Stage.A_KILLED, "http"), (Stage.B_KILLED, "local"), (Stage.RESTARTED, "valkyrie"))
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if line[0] == "│"]
    assert rows == [
        ["both workers run", "0", "0", "0", "0"],
        ["worker A was killed", "0", "1", "0", "0"],
        ["worker B was killed, too", "0", "0", "1", "0"],
        ["both were started again", "1", "0", "0", "0"],
    ]
    assert "Fail-over: 1.000 s to http, 1.000 s to local." in text
    assert "0 executions failed." in text
    assert "Return: by itself to valkyrie, 1.000 s after the workers were started again" in text


def test_an_outage_without_a_return_says_so():
    """What was not seen is not claimed."""
    text = outage((Stage.A_KILLED, "valkyrie"), (Stage.RESTARTED, "local"))
    assert "Return: not seen" in text
    assert "Fail-over: unknown to http" in text


def test_a_run_with_a_failed_execution_falls_short():
    """One failure among many is enough, with workers and without."""
    tally = Tally()
    tally.add(record(), "ham", 1.0, Phase.BEFORE)
    assert shortfall(tally, None) is None
    failed = Execution(id="e", task_id="t", program="m:f", status=ExecutionStatus.TIMEOUT, input={}, started_at=now())
    tally.add(failed, "ham", 1.0, Phase.AFTER)
    assert shortfall(tally, None) == "1 of 2 executions failed."


def test_a_run_without_a_return_falls_short():
    """An outage that is not over at the end was not shown to pass."""
    traffic = Traffic(lambda line: None)
    traffic.begin(Stage.RESTARTED)
    assert "did not get its work back" in (shortfall(Tally(), traffic) or "")
    traffic.add(record(runner="valkyrie"))
    assert shortfall(Tally(), traffic) is None


def test_without_a_terminal_progress_is_plain_lines():
    """No escape sequences reach a file, and the last line says that all is done."""
    console = Console(file=io.StringIO(), width=80)
    tally = Tally()
    with Display(console, 1) as display:
        tally.add(record(valid=True), "ham", 1.0, Phase.BEFORE)
        display.update(tally)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.startswith("1/1 executed by local 1, ")
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
    assert "local 1" in text
    assert "half-way" in text
