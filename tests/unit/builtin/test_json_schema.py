"""`json-schema-validator`: the verdict, and what it says of every failure."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType
from pydantic import ValidationError

from hotplane.builtin.validators.difference import first_difference
from hotplane.builtin.validators.json_schema import JsonSchemaConfig, JsonSchemaValidator
from hotplane.plugins import ValidationContext
from hotplane.records import Execution, ExecutionFailure, ExecutionStatus, Task, ValidationResult
from hotplane.schemas import Schema
from hotplane.values import Json, equal

LABEL = {
    "type": "object",
    "properties": {"label": {"enum": ["spam", "ham"]}, "score": {"type": "number"}},
    "required": ["label"],
}
TASK = Task(id="t", program="m:f")


def judge(
    output: Json,
    *,
    schema: Json = True,
    expected: Json | UnsetType = UNSET,
    status: ExecutionStatus = ExecutionStatus.SUCCESS,
    latency_ms: float = 1.0,
    error: ExecutionFailure | None = None,
    **config: Any,
) -> ValidationResult:
    """Return the validator's verdict."""
    validator = JsonSchemaValidator(JsonSchemaConfig(**config))
    context = ValidationContext(
        task=TASK,
        input_schema=Schema(True),
        output_schema=Schema(schema),
        expected=expected,
        configuration=validator.config,
    )
    execution = Execution(
        id="e",
        task_id="t",
        program="m:f",
        status=status,
        input=None,
        output=output,
        error=error,
        latency_ms=latency_ms,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return validator.validate(execution, context)


def findings(result):
    """Return what was found, as code and pointer."""
    return [(error.code, error.pointer) for error in result.errors]


def test_an_output_that_fits_is_valid():
    """The verdict is certain and says what was checked."""
    result = judge({"label": "spam"}, schema=LABEL, expected={"label": "spam"})
    assert (result.valid, result.confidence, result.errors) == (True, 1.0, ())
    assert result.metadata == {"checked": ["status", "schema", "expected"]}
    assert result.message == "status, schema, expected: no problem"


def test_without_schema_and_expectation_only_the_status_is_checked():
    """A task that accepts everything is valid, and the verdict admits how little was looked at."""
    result = judge([1, 2])
    assert (result.valid, result.metadata) == (True, {"checked": ["status"]})


def test_every_failure_is_listed_with_its_place():
    """One verdict names schema, expectation and latency at once, and its message is one line."""
    result = judge(
        {"label": "eggs", "score": "high"},
        schema=LABEL,
        expected={"label": "spam"},
        latency_ms=20.04,
        max_latency_ms=10,
    )
    assert result.valid is False
    assert findings(result) == [("schema", "/label"), ("schema", "/score"), ("expected", "/label"), ("latency", "")]
    assert result.message.startswith("schema: ")
    assert result.message.endswith(" at /label (and 3 more)")
    assert "\n" not in result.message
    assert result.errors[3].message == "it took 20.0 ms, and the limit is 10 ms"


@pytest.mark.parametrize("status", [s for s in ExecutionStatus if s is not ExecutionStatus.SUCCESS])
def test_an_execution_that_did_not_succeed_is_invalid(status):
    """Its missing output is not held against the schema as well."""
    failed = ExecutionFailure(type="ValueError", message="no")
    result = judge(None, schema=LABEL, expected={"label": "ham"}, status=status, error=failed)
    assert (result.valid, findings(result)) == (False, [("status", "")])
    assert result.errors[0].message == f"the execution ended as {status.value} (ValueError)"


def test_a_failed_execution_cannot_be_judged_without_its_status():
    """With the status switched off there is nothing to look at, and that is not the same as valid."""
    result = judge(None, schema=LABEL, status=ExecutionStatus.ERROR, check_status=False)
    assert (result.valid, result.errors) == (None, ())


def test_a_missing_schema_false_accepts_nothing():
    """`false` is a schema too."""
    assert findings(judge(1, schema=False)) == [("schema", "")]


@pytest.mark.parametrize(
    ("config", "left"),
    [({"check_schema": False}, [("expected", "/label")]), ({"check_expected": False}, [("schema", "/label")])],
)
def test_a_check_that_is_switched_off_finds_nothing(config: dict[str, Any], left: object):
    """Each switch silences its own check alone."""
    result = judge({"label": "eggs"}, schema=LABEL, expected={"label": "spam"}, **config)
    assert findings(result) == left


def test_latency_at_the_limit_is_valid():
    """Only what is slower than the limit is too slow."""
    assert judge(1, latency_ms=10.0, max_latency_ms=10).valid


def test_an_expected_null_is_an_expectation():
    """Null and no expectation are different."""
    assert findings(judge(1, expected=None)) == [("expected", "")]
    assert judge(None, expected=None).valid


@pytest.mark.parametrize(
    ("expected", "output"),
    [(1, 1.0), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ([{"x": [0.0]}], [{"x": [0]}]), (-0.0, 0)],
)
def test_equal_json_is_valid_however_it_is_written(expected, output):
    """Key order and 1 versus 1.0 do not matter."""
    assert judge(output, expected=expected).valid


@pytest.mark.parametrize(
    ("expected", "output", "pointer", "message"),
    [
        (True, 1, "", "expected true, got 1"),
        ([1, 2], [2, 1], "/0", "expected 1, got 2"),
        ([1, 2], [1], "/1", "expected 2, got nothing"),
        ([1], [1, None], "/1", "expected nothing, got null"),
        ({"a": {"b/c": 1}}, {"a": {"b/c": "1"}}, "/a/b~1c", 'expected 1, got "1"'),
        ({"a": 1}, {}, "/a", "expected 1, got nothing"),
        ({}, {"z": None}, "/z", "expected nothing, got null"),
        ({"a": 1}, [1], "", 'expected {"a":1}, got [1]'),
        ("x" * 500, "y", "", 'expected "' + "x" * 78 + '…, got "y"'),
    ],
)
def test_a_mismatch_points_to_its_first_difference(expected, output, pointer, message):
    """Both sides are shown, shortened; arrays compare in order and true is not 1."""
    (error,) = judge(output, expected=expected).errors
    assert (error.code, error.pointer, error.message) == ("expected", pointer, message)


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
def test_a_latency_limit_that_makes_no_sense_is_refused(limit):
    """A limit is a positive number."""
    with pytest.raises(ValidationError):
        JsonSchemaConfig(max_latency_ms=limit)


small = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 1.0, "", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab/"), inner, max_size=3),
    max_leaves=6,
)


@given(small, small)
def test_there_is_a_difference_exactly_when_values_are_unequal(left, right):
    """The pointer agrees with the verdict, and following it on both sides leads to unequal things."""
    difference = first_difference(left, right)
    assert (difference is None) is equal(left, right)
    if difference is not None:
        for side, shown in ((left, difference.expected), (right, difference.actual)):
            assert _follow(side, difference.path) is shown


def _follow(value, path):
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError):
            return UNSET
    return value
