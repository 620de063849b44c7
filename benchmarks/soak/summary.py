"""The printed summary of a soak, and which promises the host itself has to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.soak.accounting import Account, Promise
from benchmarks.soak.course import SLACK, Seen
from benchmarks.soak.watch import Line, Sample, line_through

__all__ = ["GROWTH", "growth", "kept", "promises_of", "show"]

GROWTH = 60.0
"""MB an hour that the memory of a host may grow, beyond twice the error of the measurement."""
JUDGED_SECONDS = 600.0
"""A shorter look at memory is shown, and not judged: caches that fill look like growth."""
_WARM_SHARE, _WARM_SECONDS = 0.2, 120.0


def promises_of(seen: Seen) -> list[Promise]:
    """Return what the host has to keep."""
    found = [
        Promise("something was left to do after the drain", float(not seen.drained)),
        Promise("the edited plugin does not serve its last edit", float(not seen.serves)),
        Promise("exit code of the host", float(seen.exit_code or 0)),
        *(_left(seen, name, more) for name, more in SLACK.items()),
    ]
    line, seconds = growth(seen.loaded)
    if line is not None and seconds >= JUDGED_SECONDS:
        sure = max(0.0, line.slope - 2 * line.error)
        found.append(Promise("memory's growth that is certain, MB/h", sure, GROWTH))
    return found


def growth(samples: Sequence[Sample]) -> tuple[Line | None, float]:
    """Return the line through the memory of the longest life of the host, warmed up, and how many seconds that is."""
    lives: dict[int, list[Sample]] = {}
    for each in samples:
        lives.setdefault(each.pid, []).append(each)
    longest = max(lives.values(), key=len, default=[])
    warm = int(min(_WARM_SHARE * len(longest), _WARM_SECONDS))
    steady = longest[warm:]
    return line_through(steady), steady[-1].at - steady[0].at if steady else 0.0


def kept(promises: Sequence[Promise]) -> bool:
    """Tell whether all were."""
    return all(each.kept for each in promises)


def show(promises: Sequence[Promise], found: Account, seen: Seen, *, minutes: float) -> None:
    """Print everything."""
    console = Console(width=130)
    console.print(_figures(found, seen))
    console.print(f"harm: {_words(seen.harm)}")
    plugin = {kind: count for kind, count in found.events.items() if kind.startswith(("plugin.", "runner."))}
    console.print(f"plugins and runners: {_words(plugin)}")
    console.print(f"clients met: {_words(dict(seen.trouble.most_common(8))) or 'nothing'}")
    line, seconds = growth(seen.loaded)
    if line is not None:
        judged = "" if seconds >= JUDGED_SECONDS else f"; not judged, as that is less than {JUDGED_SECONDS:.0f} s"
        console.print(f"memory: {line.slope:+.1f} ± {line.error:.1f} MB an hour, over {seconds:.0f} s{judged}")
    console.print(_verdicts(promises))
    broken = sum(not each.kept for each in promises)
    console.print(f"{minutes:.1f} minutes, {len(promises)} promises, {broken} broken")


def _figures(found: Account, seen: Seen) -> Table:
    table = Table("what", "there was", box=box.SIMPLE_HEAD)
    table.columns[1].justify = "right"
    for name, count in found.figures.items():
        table.add_row(name, f"{count:,}".replace(",", " "))
    before, after = seen.before, seen.after
    for name in ("memory", "files", "threads", "tasks", "objects"):
        first, last = getattr(before, name), getattr(after, name)
        table.add_row(f"{name} at rest, in the beginning and in the end", f"{first or 0:.0f} → {last or 0:.0f}")
    peak = max((each.memory for each in seen.loaded), default=0.0)
    table.add_row("memory at most, MB", f"{peak:.0f}")
    table.add_row("seconds to drain", f"{seen.drain_seconds:.1f}")
    return table


def _verdicts(promises: Sequence[Promise]) -> Table:
    table = Table("promise", "found", "limit", "kept", "", box=box.SIMPLE_HEAD)
    for each in promises:
        table.add_row(each.what, f"{each.found:g}", f"{each.limit:g}", "yes" if each.kept else "BROKEN", each.note)
    return table


def _left(seen: Seen, name: str, more: int) -> Promise:
    first, last = getattr(seen.before, name), getattr(seen.after, name)
    if first is None or last is None:
        return Promise(f"{name} left: not known", 1.0)
    return Promise(f"{name} left, more than in the beginning", last - first, more)


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} × {name}" for name, count in counts.items())
