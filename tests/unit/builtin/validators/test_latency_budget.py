"""`latency-budget`: quick enough or not."""

import pytest
from pydantic import ValidationError

from hotplane.builtin.validators.latency_budget import LatencyBudgetConfig
from hotplane.records import ExecutionStatus


@pytest.mark.parametrize(("latency_ms", "valid"), [(99.0, True), (100.0, True), (100.001, False)])
def test_the_budget_itself_is_within_it(judge, latency_ms, valid):
    """One that took longer is invalid, and the error says by what."""
    result = judge("latency-budget", {"max_ms": 100}, latency_ms=latency_ms)
    assert (result.valid, [error.code for error in result.errors]) == (valid, [] if valid else ["latency"])


def test_the_status_does_not_matter(judge):
    """A quick failure was quick."""
    assert judge("latency-budget", {}, status=ExecutionStatus.ERROR).valid


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
def test_a_budget_that_makes_no_sense_is_refused(limit):
    """It is a positive number of milliseconds."""
    with pytest.raises(ValidationError):
        LatencyBudgetConfig(max_ms=limit)
