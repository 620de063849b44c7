"""The summary. Imports `tally`, `traffic`, `figures`, `drive`, `workers` and rich."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from examples.demo.drive import Swap
from examples.demo.figures import Estimate, percentile
from examples.demo.tally import Phase, Tally
from examples.demo.traffic import Stage, Traffic
from examples.demo.workers import ROUTE

__all__ = ["print_summary", "print_traffic", "shortfall"]

MAX_REASONS = 6


def print_summary(console: Console, tally: Tally, swap: Swap, seconds: float, *, paced: bool = False) -> None:
    """Print what the run came to.

    Args:
        console: Where to.
        tally: What came back.
        swap: What was changed half-way.
        seconds: How long the run took.
        paced: Whether messages were sent slowly on purpose, so that the rate says nothing of the server.
    """
    table = Table(title="Summary", title_justify="left", show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(tally, swap, seconds, paced=paced):
        table.add_row(name, escape(value))
    console.print(table)


def print_traffic(console: Console, traffic: Traffic) -> None:
    """Print who ran the executions in each stage of the outage, and how work moved away and came back."""
    table = Table(title="Who ran the executions", title_justify="left", pad_edge=False)
    table.add_column("while", no_wrap=True)
    for runner in ROUTE:
        table.add_column(runner, justify="right")
    table.add_column("failed", justify="right")
    for stage in Stage:
        counts = [str(traffic.served[stage][runner]) for runner in ROUTE]
        table.add_row(stage.value, *counts, str(traffic.failed[stage]))
    console.print(table)
    for line in (_fail_over(traffic), _fail_back(traffic)):
        console.print(line, soft_wrap=True, markup=False)


def shortfall(tally: Tally, traffic: Traffic | None) -> str | None:
    """Return what a run that ended did not live up to; None for a good one.

    Args:
        tally: What came back.
        traffic: Who ran it; None for a run without workers.
    """
    if tally.failed:
        return f"{tally.failed} of {tally.done} executions failed."
    if traffic is not None and not traffic.returned:
        return "Valkyrie did not get its work back while there were messages."
    return None


def _fail_over(traffic: Traffic) -> str:
    to_http, to_local = (_seconds(traffic.delay(stage)) for stage in (Stage.A_KILLED, Stage.B_KILLED))
    asked, spared = traffic.moved_on.total(), traffic.passed_over.total()
    return (
        f"Fail-over: {to_http} to http, {to_local} to local. {asked} attempts ended at a dead worker and went on to "
        f"the next runner; open breakers spared {spared} others; {traffic.failed.total()} executions failed."
    )


def _fail_back(traffic: Traffic) -> str:
    if not traffic.returned:
        return "Return: not seen; the messages were sent before a breaker asked Valkyrie again."
    restart, outage = (_seconds(traffic.delay(Stage.RESTARTED, since)) for since in (None, Stage.A_KILLED))
    return f"Return: by itself to valkyrie, {restart} after the workers were started again; the outage lasted {outage}."


def _seconds(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{seconds:.3f} s"


def _rows(tally: Tally, swap: Swap, seconds: float, *, paced: bool) -> list[tuple[str, str]]:
    pace = f"sent slowly on purpose, over {seconds:.1f} s" if paced else _rate(tally.done, seconds)
    rows = [("executions", f"{_counts(tally.statuses)}; {pace}")]
    rows += [("refused", _counts(tally.refusals))] if tally.refusals else []
    rows += [
        ("latency, server", _percentiles(tally.server_ms)),
        ("latency, client", _percentiles(tally.client_ms)),
        ("sampled", f"{tally.sampled} of {tally.done}" + (f": {_counts(tally.samplers)}" if tally.samplers else "")),
        ("valid", f"{tally.verdicts[True]} of {tally.sampled} sampled"),
        ("invalid", _invalid(tally)),
    ]
    rows += [("not judged", str(tally.verdicts[None]))] if tally.verdicts[None] else []
    return rows + _quality(tally) + _hot_swap(tally, swap)


def _rate(done: int, seconds: float) -> str:
    return f"{done / max(seconds, 1e-3):.0f}/s over {seconds:.1f} s"


def _quality(tally: Tally) -> list[tuple[str, str]]:
    rows = [("valid, estimated", _estimate(tally.estimated_validity))]
    if tally.accuracy is not None:
        rows.append(("accuracy, estimated", _estimate(tally.estimated_accuracy)))
        rows.append(("accuracy, true", f"{tally.accuracy:.1%} ({tally.right} of {tally.labelled} labelled)"))
    else:
        rows.append(("accuracy", "unknown: no message has an `expected` label"))
    if tally.unjudged:
        rows.append(("", f"{tally.unjudged} of the sampled labels could not be judged and are left out"))
    return rows


def _hot_swap(tally: Tally, swap: Swap) -> list[tuple[str, str]]:
    """Say what the change half-way did, from the records alone."""
    asked = " → ".join(
        f"{tally.consulted[phase][swap.disabled]} of {tally.phases[phase]}" for phase in (Phase.BEFORE, Phase.AFTER)
    )
    order = " → ".join(_order(tally.orders[phase]) for phase in (Phase.BEFORE, Phase.AFTER))
    return [
        (f"{swap.disabled}", f"in the decision of {asked} executions, before → after it was disabled"),
        ("validators ran", f"{order}, before → after the new priority"),
    ]


def _order(orders: Counter[tuple[str, ...]]) -> str:
    return "(" + ", ".join(orders.most_common(1)[0][0]) + ")" if orders else "(none)"


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "none"


def _percentiles(milliseconds: list[float]) -> str:
    if not milliseconds:
        return "unknown"
    return ", ".join(f"p{percent} {percentile(milliseconds, percent):.2f} ms" for percent in (50, 90, 99))


def _invalid(tally: Tally) -> str:
    reasons = tally.reasons.most_common()
    lines = [f"{tally.verdicts[False]} of {tally.sampled} sampled"]
    lines += [f"{count}x {validator}: {reason}" for (validator, reason), count in reasons[:MAX_REASONS]]
    if rest := sum(count for _, count in reasons[MAX_REASONS:]):
        lines.append(f"{rest}x other reasons")
    return "\n".join(lines)


def _estimate(estimate: Estimate | None) -> str:
    if estimate is None:
        return "unknown: the percentage sampler picked nothing that was judged"
    interval = f"95 % interval {estimate.low:.1%} to {estimate.high:.1%}"
    return f"{estimate.share:.1%} ({interval}; {estimate.count} picked by the percentage sampler)"
