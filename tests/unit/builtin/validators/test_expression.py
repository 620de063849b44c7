"""`expression-validator`: rules in CEL over input and output."""

import asyncio
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hotplane.builtin.validators.cel_text import loop_count, loop_depth, loop_variables
from hotplane.builtin.validators.expression import ExpressionConfig
from hotplane.builtin.validators.rules import compiled, count_items
from hotplane.errors import MissingExtra
from hotplane.host.instances import read_configuration
from hotplane.records import ExecutionStatus
from tests.pace import in_time

TYPE = "expression-validator"


def rules(*expressions, **more):
    """Return a configuration."""
    return {"rules": [{"expression": each} for each in expressions], **more}


ORDER = {"lines": [{"price": 2.5, "count": 2}, {"price": 5, "count": 1}], "total": 10}


@pytest.mark.parametrize(
    ("expression", "valid"),
    [
        ("output.total == 10.0", True),
        ("output.total > 9.5", True),
        ("double(output.total) / 4.0 == 2.5", True),
        ("size(output.lines) == 2", True),
        ("output.lines.all(line, line.count > 0)", True),
        ("output.lines.exists(line, line.price > 4)", True),
        ("output.lines.filter(line, line.count > 1).size() == 1", True),
        ("has(output.discount) ? output.discount < 1 : true", True),
        ("output.total in input.allowed", False),
        ("input.name.matches('^[a-z]+$')", True),
        ("status == 'success' && task == 't' && latency_ms < 5", True),
        ("type(output.total) == int && type(output.lines[0].price) == double", True),
        ("output.lines[0] == output.lines[1]", False),
    ],
)
def test_rules_say_true_or_false(judge, expression, valid):
    """Over input, output, status, latency and task."""
    result = judge(TYPE, rules(expression), ORDER, input={"name": "anna", "allowed": [1, 2]})
    assert (result.valid, result.message if result.valid is None else "") == (valid, "")


def test_every_rule_that_is_false_is_listed(judge):
    """With its message and the place that it is about; its own text where it has no message."""
    configuration = {
        "rules": [
            {"expression": "output.total == 11", "message": "the total is wrong", "pointer": "/total"},
            {"expression": "true"},
            {"expression": "output.total < 0"},
        ]
    }
    result = judge(TYPE, configuration, ORDER)
    assert result.valid is False
    assert [(e.message, e.pointer, e.code) for e in result.errors] == [
        ("the total is wrong", "/total", "rule"),
        ("not so: output.total < 0", "", "rule"),
    ]


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("output.missing == 1", "there is no key 'missing'; ask with `has(…)` first"),
        ("output.total + 0.5 > 1.0", "No such overload"),
        ("output.total", "it gives a int, not true or false"),
        ("null", "it gives a NoneType, not true or false"),
        ("1 / 0 == 1", "division by zero"),
        ("output.total + 9223372036854775807 > 0", "overflow"),
        ("output.lines.frobnicate()", "Undefined variable or function"),
    ],
)
def test_a_rule_that_comes_to_no_answer_is_not_judged(judge, expression, why):
    """Not agreement and not objection; the message says which rule and why."""
    result = judge(TYPE, rules("true", expression), ORDER)
    assert (result.valid, result.applies) == (None, True)
    assert result.message.startswith("rule 1 (`")
    assert why in result.message


def test_one_false_rule_is_enough(judge):
    """Another one without an answer cannot change that."""
    assert judge(TYPE, rules("output.missing", "false"), ORDER).valid is False


def test_rules_about_what_is_expected_are_left_out_where_nothing_is(judge):
    """Null is an expectation; where no rule is left the result does not apply."""
    about = rules("output == expected", "output != 3")
    assert judge(TYPE, about, 2).valid is True
    assert judge(TYPE, about, 2, expected=3).valid is False
    assert judge(TYPE, about, None, expected=None).valid is True
    assert judge(TYPE, rules("output == expected"), 2).applies is False


def test_an_execution_without_an_output_is_left_out_unless_asked_for(judge):
    """A rule may be about the status."""
    failed = {"status": ExecutionStatus.ERROR}
    assert judge(TYPE, rules("output > 1"), **failed).applies is False
    assert judge(TYPE, rules("status != 'error'", successful_only=False), **failed).valid is False


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("output.x >", "it is not a CEL expression: 1:11: Syntax error"),
        ("outptu.x > 1", "there is no variable `outptu`; did you mean 'output'?"),
        ("output.all(x, y > 1)", "there is no variable `y`"),
        ("(" * 500 + "true" + ")" * 500, "it is not a CEL expression"),
        ("x" * 4_097, "at most 4096 characters"),
        ("", "at least 1 character"),
        ("output" + ".map(x, x)" * 9 + " == []", "more than 8 loops"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_its_number(expression, why):
    """Before anything starts."""
    with pytest.raises(ValidationError) as caught:
        ExpressionConfig.model_validate(rules("true", expression))
    (error,) = caught.value.errors()
    assert error["loc"] == ("rules", 1, "expression")
    assert why in error["msg"]


def test_no_rules_are_refused():
    """A validator without a rule would agree with everything."""
    with pytest.raises(ValidationError, match="write at least one"):
        ExpressionConfig.model_validate({"rules": []})


def test_a_missing_library_is_named_with_the_command_that_installs_it(monkeypatch):
    """The configuration is refused with it."""
    monkeypatch.setitem(sys.modules, "cel", None)
    compiled.cache_clear()
    with pytest.raises(MissingExtra, match=r"pip install 'hotplane\[validators\]'"):
        compiled("1 == 1")
    cls = type("Any", (), {"Config": ExpressionConfig})
    with pytest.raises(Exception, match=r"pip install 'hotplane\[validators\]'"):
        read_configuration("e", cls, rules("2 == 2"))  # pyright: ignore[reportArgumentType]


def test_what_would_hold_the_interpreter_for_long_is_not_run(judge):
    """Loops inside one another over a list: the turns are bounded, and a hundred thousand items are not read."""
    nested = rules("output.all(a, output.all(b, output.all(c, a + b + c >= 0)))")
    started = time.thread_time()
    slow = judge(TYPE, nested, list(range(300)))
    long = judge(TYPE, rules("size(output) > 1"), list(range(100_000)))
    assert in_time(time.thread_time() - started, 0.5)
    assert (slow.valid, "max_steps" in slow.message) == (None, True)
    assert (long.valid, "max_items" in long.message) == (None, True)
    assert judge(TYPE, nested, list(range(50))).valid is True


def test_a_regular_expression_that_is_evil_elsewhere_is_not_here(judge):
    """The library's regular expressions take linear time."""
    started = time.thread_time()
    assert judge(TYPE, rules("output.matches('^(a+)+$')"), "a" * 5_000 + "b").valid is False
    assert time.thread_time() - started < 10


async def test_the_largest_values_that_are_judged_keep_the_loop_responsive(judge):
    """Ten thousand items take a fraction of a second, the bound of what cannot be interrupted."""
    rows = [{"a": index, "b": "x"} for index in range(3_300)]
    started = time.thread_time()
    assert judge(TYPE, rules("output.all(row, row.a >= 0)"), rows).valid
    await asyncio.sleep(0)
    assert in_time(time.thread_time() - started, 0.5)


@pytest.mark.parametrize(
    ("expression", "depth", "count", "names"),
    [
        ("true", 0, 0, set()),
        ("a.all(x, x > 0)", 1, 1, {"x"}),
        ("a.all(x, x > 0) && b.exists(y, y)", 1, 2, {"x", "y"}),
        ("a.map(x, b.filter(y, c.exists_one(z, z == x + y)))", 3, 3, {"x", "y", "z"}),
        ("a.filter(x, x).map(y, y)", 1, 2, {"x", "y"}),
        ("(a . all ( x , [b.all(y, y)] == [true]))", 2, 2, {"x", "y"}),
        ("'a.all(x, b.all(y, true))' == \"c.map(z, z)\"", 0, 0, set()),
        ("'it\\'s.all(x, ' == r'\\' && a.all(v, v)", 1, 1, {"v"}),
        ("// a.all(x, x)\ntrue", 0, 0, set()),
        ("'''a'.all(x, x)''' == ''", 0, 0, set()),
        ("a.allowed(b) && a.map == 1", 0, 0, set()),
    ],
)
def test_loops_are_found_in_the_text(expression, depth, count, names):
    """Not in texts and comments, and not in names that only begin alike."""
    assert (loop_depth(expression), loop_count(expression), loop_variables(expression)) == (depth, count, names)


json_values = st.recursive(
    st.none() | st.integers(0, 9) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=4),
    max_leaves=30,
)


@given(json_values)
def test_items_are_counted_at_all_depths(value):
    """As a recursion counts them."""

    def count(each):
        inner = each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
        return sum(1 + count(item) for item in inner)

    assert count_items(value, 10**9) == count(value)


def test_ranges_and_patterns_need_no_rule(judge):
    """The schema of the task says them; the validator for schemas names the place."""
    schema = {
        "type": "object",
        "properties": {
            "score": {"type": "number", "minimum": 0, "maximum": 1},
            "code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]+$"},
        },
    }
    result = judge("json-schema-validator", {}, {"score": 1.5, "code": "ab-1"}, output_schema=schema)
    assert sorted(error.pointer for error in result.errors) == ["/code", "/score"]
