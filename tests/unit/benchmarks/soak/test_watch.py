"""The line through a host's memory, and what counts as its longest life."""

from __future__ import annotations

import random

import pytest

from benchmarks.soak.summary import growth
from benchmarks.soak.watch import Sample, line_through, typical


def sample(second: float, memory: float, *, pid: int = 1, tasks: int | None = 10) -> Sample:
    """Return a sample of a host whose files and threads stay as they are."""
    return Sample(second, pid, memory, files=20, threads=15, tasks=tasks)


def test_steady_growth_is_found_exactly() -> None:
    """A host that grows by 36 MB an hour is found to, without error."""
    line = line_through([sample(second, 100.0 + second * 0.01) for second in range(600)])
    assert line is not None
    assert line.slope == pytest.approx(36.0)
    assert line.error == pytest.approx(0.0, abs=1e-6)


def test_noise_stays_within_its_error() -> None:
    """Noise without growth gives a slope that three standard errors cover."""
    dice = random.Random(7)
    line = line_through([sample(second, 100.0 + dice.uniform(-2.0, 2.0)) for second in range(1_200)])
    assert line is not None
    assert abs(line.slope) < 3 * line.error


def test_few_samples_give_no_line() -> None:
    """With fewer samples than blocks nothing is said."""
    assert line_through([sample(second, 100.0) for second in range(19)]) is None


def test_longest_life_counts_without_its_beginning() -> None:
    """After kills of the host the longest of its lives is looked at, from when it is warm."""
    short = [sample(second, 500.0, pid=1) for second in range(50)]
    long = [sample(50 + second, 900.0 - second * 40 if second < 20 else 100.0, pid=2) for second in range(100)]
    line, seconds = growth([*short, *long])
    assert line is not None
    assert line.slope == pytest.approx(0.0)
    assert seconds == pytest.approx(79.0)


def test_a_look_without_answers_knows_no_tasks() -> None:
    """Where the host told of its tasks in no sample they are not known."""
    assert typical([sample(0, 100.0, tasks=None)] * 3).tasks is None
    assert typical([sample(0, 100.0, tasks=None), sample(1, 100.0, tasks=4), sample(2, 100.0, tasks=8)]).tasks == 6
