"""What people see of the accuracy of a batch."""

from __future__ import annotations

from typing import Any

import pytest

from hotplane.cli.batch_report import accuracy_fields

ESTIMATE = {"value": 0.9, "low": 0.8, "high": 0.95}


def fields(*, own: int, estimate: dict[str, float] | None = ESTIMATE, **quality: Any) -> dict[str, object]:
    """Return the fields of a report about 100 executions, `own` of them the batch's."""
    known = {"judged": 10, "executions": 100, "confidence": 0.95, "not_judged": 0, "reason": None, **quality}
    report = {"estimated": estimate, "quality": known, "executions": own, "true": None, "correct": 0, "expected": 0}
    return dict(accuracy_fields(report))


@pytest.mark.parametrize(
    ("own", "population"),
    [(100, "100 executions"), (60, "100 executions of the task since the batch began")],
)
def test_the_estimate_says_what_it_is_about(own: int, population: str) -> None:
    """Executions that were not the batch's are not passed off as its own."""
    assert fields(own=own) == {"accuracy, estimated (95 %)": f"90 % (80 to 95 %), from 10 judged of {population}"}


@pytest.mark.parametrize("estimate", [ESTIMATE, None])
def test_what_could_not_be_judged_is_told(estimate: dict[str, float] | None) -> None:
    """How many that are stands there when there are any, with and without an estimate."""
    assert fields(own=100, estimate=estimate, not_judged=3, reason="none")["could not be judged"] == 3
