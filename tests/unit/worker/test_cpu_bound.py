"""Which programs go to processes."""

from __future__ import annotations

import pytest

from hotplane.worker.cpu_bound import CpuBound


@pytest.mark.parametrize(
    ("pattern", "spec"),
    [
        ("jobs", "jobs:run"),
        ("jobs", "jobs.mail:send"),
        ("jobs.*", "jobs.mail:send"),
        ("jobs:run", "jobs:run"),
        ("jobs:run_*", "jobs:run_fast"),
        ("*:train", "models.spam:train"),
    ],
)
def test_a_pattern_covers_modules_or_single_programs(pattern: str, spec: str):
    """A module with all below it, a pattern over modules, or one with a colon over programs."""
    assert CpuBound((pattern,)).covers(spec)


@pytest.mark.parametrize(
    ("pattern", "spec"),
    [("jobs", "jobs2:run"), ("jobs.*", "jobs:run"), ("jobs:run", "jobs:run2"), ("jobs:run", "jobs")],
)
def test_a_pattern_covers_nothing_else(pattern: str, spec: str):
    """A name's beginning is not enough."""
    assert not CpuBound((pattern,)).covers(spec)


def test_a_module_of_which_one_program_is_cpu_bound_is_needed_here_too():
    """Only a module whose programs all go to processes need not be imported by the worker itself."""
    patterns = CpuBound(("heavy", "mixed:train"))
    assert patterns.covers_module("heavy")
    assert not patterns.covers_module("mixed")


def test_modules_that_are_named_are_known_beforehand():
    """With or without a program; not what a wildcard stands for, and never what is not allowed."""
    patterns = CpuBound(("heavy", "mixed:train", "any.*", "os:getcwd", "mixed:test"))
    assert patterns.named_modules(("heavy.deep", "heavy", "mixed", "any.*")) == ("heavy", "mixed", "heavy.deep")
