"""Where the microseconds of an execution, a batch's item and a delivery go: py-spy over one measurement of `growth`.

Run ``python -m benchmarks.stages [CASE …] [--units N] [--functions] [--write]``. A sample belongs to the innermost
frame that is Hotplane's own, and so does what that frame called in libraries. The event loop's thread and the storage's
are listed apart: they work at the same time. Threads that wait for work are left out.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.growth_page import FOLDER, fill
from benchmarks.growth_work import CASES, Case, Job

_ROOT = Path(__file__).parents[1]
_HERTZ = 250
_LIMIT_SECONDS = 600.0
_OURS = re.compile(r"([^;]+) \(hotplane/([\w/]+)\.py:\d+\)")
_STAGES = (
    ("the batch's own", ("execution/batch/",)),
    ("what happened, as events", ("execution/telling", "events/happenings")),
    ("delivery: outbox, lanes", ("events/", "host/observed")),
    ("delivery: request, signature", ("builtin/webhooks/", "network/", "plugins/webhook")),
    (
        "sampling and validation",
        ("execution/sampling", "execution/validation", "execution/verdict", "execution/gating"),
    ),
    ("sampling and validation", ("execution/thresholds", "execution/windows", "builtin/", "registry/", "schemas")),
    ("route, breaker, runner", ("routing/", "programs/", "builtin/runners/", "plugins/")),
    ("ids and copies of values", ("identity", "values")),
    ("the pipeline's own", ("execution/", "app", "records")),
    ("storage: encoding, handing over", ("storage/",)),
)
_RUNNERS = "builtin/runners/"
_IDLE = ("Intake.take", "_open_in_thread", "Hotplane.start", "Hotplane.stop")
"""The storage's thread waits for work; a host starts or stops."""


@dataclass(frozen=True)
class Profile:
    """What py-spy saw of one case, in samples."""

    case: Case
    sample: float
    """What one sample is, in microseconds of one unit."""
    loop: Counter[str]
    writer: Counter[str]
    functions: Counter[str]
    """Of the event loop's thread."""


def profiled(case: Case, units: int) -> Profile:
    """Measure one case under py-spy.

    Args:
        case: Which.
        units: How much of it.

    Raises:
        subprocess.CalledProcessError: It may not look into processes here.
    """
    job = json.dumps(Job(case=case, axis="work", times=1, units=units, plugins=1).plain())
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".stages-") as folder:
        seen = Path(folder, "seen.raw")
        spy = [str(Path(sys.executable).with_name("py-spy")), "record", "--rate", str(_HERTZ), "--threads"]
        command = [*spy, "--format", "raw", "--output", str(seen), "--", sys.executable]
        command += ["-m", "benchmarks.growth_work", job, folder]
        subprocess.run(command, check=True, capture_output=True, cwd=_ROOT, timeout=_LIMIT_SECONDS)
        return _profile(case, units, seen.read_text("utf-8").splitlines())


def _profile(case: Case, units: int, lines: Iterable[str]) -> Profile:
    loop, writer, functions = Counter[str](), Counter[str](), Counter[str]()
    for line in lines:
        stack, _, times = line.rpartition(" ")
        samples = int(times)
        frames = _OURS.findall(stack)
        if any(name in stack for name in _IDLE):
            continue
        if "hotplane-storage-writer" in stack:
            writer[_writing(frames, stack)] += samples
        elif "MainThread" in stack and ";Runner.run" in stack:
            loop[_stage(frames)] += samples
            functions[f"{frames[-1][0]} ({frames[-1][1]}.py)" if frames else "the event loop"] += samples
    return Profile(case, 1e6 / _HERTZ / units, loop, writer, functions)


def _stage(frames: Sequence[tuple[str, str]]) -> str:
    if not frames:
        return "the event loop, and the load itself"
    file = frames[-1][1]
    if file.startswith(_RUNNERS):
        return "route, breaker, runner"
    return next((stage for stage, places in _STAGES if file.startswith(places)), "everything else")


def _writing(frames: Sequence[tuple[str, str]], stack: str) -> str:
    names = [name for name, _ in frames]
    if "commit (" in stack:
        return "COMMIT: CPU and disk"
    if any(name.endswith("_insert") for name in names):
        return "INSERT"
    return "collecting rows, telling who waits"


def print_profile(profile: Profile, *, functions: bool) -> None:
    """Print the stages in microseconds of one unit, and the dearest functions if they are wanted."""
    parts = [("event loop", profile.loop), ("storage's thread", profile.writer)]
    if functions:
        parts.append(("functions on the event loop", Counter(dict(profile.functions.most_common(25)))))
    for title, counts in parts:
        table = Table(f"{profile.case}: {title}", "µs a unit", "share", box=box.SIMPLE_HEAD)
        total = counts.total()
        for name, samples in counts.most_common():
            table.add_row(name, f"{samples * profile.sample:.1f}", f"{samples / total:.0%}")
        table.add_row("all of it", f"{total * profile.sample:.1f}", "")
        Console(width=110).print(table)


def write(profiles: Sequence[Profile]) -> None:
    """Put the stages into ``docs/explanation/cost.md``, and into ``stages.json`` beside it."""
    fill(FOLDER / "cost.md", "stages", "\n\n".join(_tables(profiles)))
    plain = {
        each.case: {name: _plain(each, counts) for name, counts in (("loop", each.loop), ("storage", each.writer))}
        for each in profiles
    }
    (FOLDER / "stages.json").write_text(json.dumps(plain, indent=1) + "\n", "utf-8")


def _plain(profile: Profile, counts: Counter[str]) -> dict[str, float]:
    return {name: round(samples * profile.sample, 1) for name, samples in counts.most_common()}


def _tables(profiles: Sequence[Profile]) -> Iterable[str]:
    for title, of in (("event loop", "loop"), ("storage's thread", "writer")):
        counts: list[Counter[str]] = [getattr(each, of) for each in profiles]
        stages = sum(counts, Counter[str]()).most_common()
        head = f"| µs a unit, {title} | {' | '.join(each.case for each in profiles)} |"
        lines = [head, "|---|" + "--:|" * len(profiles)]
        for stage, _ in stages:
            cells = (f"{found[stage] * each.sample:.1f}" for each, found in zip(profiles, counts, strict=True))
            lines.append(f"| {stage} | {' | '.join(cells)} |")
        totals = (f"{found.total() * each.sample:.1f}" for each, found in zip(profiles, counts, strict=True))
        yield "\n".join([*lines, f"| all of it | {' | '.join(totals)} |"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--units", type=int, default=20_000, help="executions, items or events [20000]")
    parser.add_argument("--functions", action="store_true", help="also list the dearest functions")
    parser.add_argument("--write", action="store_true", help="write the stages into docs/explanation/cost.md, and JSON")
    options = parser.parse_args()
    profiles = [profiled(case, options.units) for case in options.cases or CASES]
    for each in profiles:
        print_profile(each, functions=options.functions)
    if options.write:
        write(profiles)
    return 0


if __name__ == "__main__":
    sys.exit(main())
