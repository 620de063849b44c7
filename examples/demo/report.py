"""The summary. Imports `tally`, `figures`, `drive` and rich."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from examples.demo.drive import Swap
from examples.demo.figures import Estimate, percentile
from examples.demo.tally import Phase, Tally

__all__ = ["print_summary"]

MAX_REASONS = 6


def print_summary(console: Console, tally: Tally, swap: Swap, seconds: float) -> None:
    """Print what the run came to.

    Args:
        console: Where to.
        tally: What came back.
        swap: What was changed half-way.
        seconds: How long the run took.
    """
    table = Table(title="Summary", title_justify="left", show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(tally, swap, seconds):
        table.add_row(name, escape(value))
    console.print(table)


def _rows(tally: Tally, swap: Swap, seconds: float) -> list[tuple[str, str]]:
    rows = [("executions", f"{_counts(tally.statuses)}; {tally.done / max(seconds, 1e-3):.0f}/s over {seconds:.1f} s")]
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
