"""`hotplane tasks quality` as a person or a script runs it."""

from __future__ import annotations

import json
from typing import Any


def test_the_accuracy_is_shown_with_its_interval(server: Any):
    """Everything is picked here, so that the accuracy is known; buckets are a table below."""
    server.call("execute", "double", "1", "--expected", "2")
    server.call("execute", "double", "1", "--expected", "3")
    shown = server.run("tasks", "quality", "double", "--bucket", "day")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "accuracy (95 %)" in shown.stdout
    assert "50 % (50 to 50 %)" in shown.stdout
    assert "NOT JUDGED" in shown.stdout


def test_without_a_sample_there_is_no_estimate(server: Any):
    """The reason stands where the figure would."""
    shown = server.call("tasks", "quality", "echo")
    assert shown.returncode == 0
    assert "no estimate: there are no executions in this range" in shown.stdout


def test_programs_get_the_report_as_json(server: Any):
    """The whole of it, with the range and the confidence that were asked for."""
    shown = server.call("tasks", "quality", "echo", "--since", "2026-01-01", "--confidence", "0.9", "-o", "json")
    report = json.loads(shown.stdout)
    assert (report["task_id"], report["confidence"], report["failure_rate"]) == ("echo", 0.9, None)
    assert report["since"].startswith(("2026-01-01", "2025-12-31"))


def test_what_cannot_be_asked_is_refused(server: Any):
    """An instant that is none, a bucket that is none, a confidence in percent, and a task that is not there."""
    for arguments, words in (
        (("double", "--since", "yesterday"), "--since takes an instant"),
        (("double", "--bucket", "fortnight"), "bucket"),
        (("double", "--confidence", "95"), "confidence"),
        (("duoble",), "did you mean 'double'"),
    ):
        refused = server.call("tasks", "quality", *arguments)
        assert refused.returncode in {1, 2}
        assert refused.stdout == ""
        assert words in refused.stderr
