"""How results become one verdict: the policies against an independent model."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.execution.verdict import verdict
from hotplane.records import ValidationPolicy, ValidationResult

votes = st.lists(
    st.tuples(st.sampled_from([True, False, None]), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 3)), max_size=5
)


def results_of(cast: list[tuple[bool | None, float, int]]) -> tuple[list[ValidationResult], dict[str, float]]:
    """Return results with their weights, by validator."""
    results = [
        ValidationResult(valid=valid, confidence=confidence, validator=f"v{number}")
        for number, (valid, confidence, _) in enumerate(cast)
    ]
    return results, {f"v{number}": float(weight) for number, (_, _, weight) in enumerate(cast)}


def known(policy: str, cast: list[tuple[bool, float, float]], threshold: float) -> bool | None:
    """Return the verdict where every validator could judge: the policies' own words."""
    if policy == "any":
        return any(valid for valid, _, _ in cast)
    if policy != "weighted":
        return all(valid for valid, _, _ in cast)
    whole = sum(confidence * weight for _, confidence, weight in cast)
    return None if not whole else sum(c * w for valid, c, w in cast if valid) >= threshold * whole


@given(votes, st.sampled_from(list(ValidationPolicy)), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
def test_a_verdict_is_null_exactly_where_the_unknown_could_change_it(
    cast: list[tuple[bool | None, float, int]], policy: ValidationPolicy, threshold: float
) -> None:
    """Try every answer that those without one could have given: when all agree that is the verdict, else null."""
    results, weights = results_of(cast)
    unknown = [index for index, vote in enumerate(cast) if vote[0] is None]
    possible: set[bool | None] = set()
    for answers in product([True, False], repeat=len(unknown)):
        filled = [(bool(valid), confidence, float(weight)) for valid, confidence, weight in cast]
        for index, answer in zip(unknown, answers, strict=True):
            filled[index] = (answer, 1.0, float(cast[index][2]))
        possible.add(known(policy, filled, threshold) if filled else None)
    expected = possible.pop() if len(possible) == 1 else None
    assert verdict(results, policy, threshold=threshold, weights=weights) is expected


@given(votes, st.sampled_from(list(ValidationPolicy)))
def test_results_that_do_not_apply_change_nothing(
    cast: list[tuple[bool | None, float, int]], policy: ValidationPolicy
) -> None:
    """Whatever they say."""
    results, weights = results_of(cast)
    more = [ValidationResult(valid=valid, applies=False) for valid in (True, False, None)]
    assert verdict([*more, *results], policy, weights=weights) is verdict(results, policy, weights=weights)


@pytest.mark.parametrize(
    ("policy", "verdicts", "whole"),
    [
        ("all", [True, None], None),
        ("all", [False, None], False),
        ("first-failure", [True, None], None),
        ("first-failure", [False], False),
        ("any", [True, None, False], True),
        ("any", [False, None], None),
        ("any", [False, False], False),
        ("weighted", [True, False], True),
        ("weighted", [True, False, False], False),
        ("weighted", [True, True, None], True),
        ("weighted", [True, False, None], None),
        ("weighted", [False, False, None], False),
    ],
)
def test_the_table_of_the_docstring(policy: str, verdicts: list[bool | None], whole: bool | None) -> None:
    """A row of it each, with equal weights and a threshold of one half."""
    results = [ValidationResult(valid=each) for each in verdicts]
    assert verdict(results, ValidationPolicy(policy)) is whole


@pytest.mark.parametrize(("agreeing", "objecting"), [(55, 45), (14, 86), (0.7, 0.3), (0.1, 0.9)])
def test_exactly_the_threshold_is_enough(agreeing: float, objecting: float) -> None:
    """Whatever floating-point numbers make of the product."""
    results = [ValidationResult(valid=True, validator="a"), ValidationResult(valid=False, validator="b")]
    weights = {"a": agreeing, "b": objecting}
    threshold = round(agreeing / (agreeing + objecting), 2)
    assert verdict(results, ValidationPolicy.WEIGHTED, threshold=threshold, weights=weights) is True


def test_weights_and_confidence_multiply() -> None:
    """One sure validator of weight 3 outweighs two of weight 1; a doubtful one does not."""
    sure, doubtful = (ValidationResult(valid=True, validator="a", confidence=each) for each in (1.0, 0.5))
    others = [ValidationResult(valid=False, validator=each) for each in "bc"]
    weighted = ValidationPolicy.WEIGHTED
    assert verdict([sure, *others], weighted, weights={"a": 3}) is True
    assert verdict([doubtful, *others], weighted, weights={"a": 3}) is False
