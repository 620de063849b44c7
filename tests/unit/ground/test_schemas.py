"""JSON Schemas: compiled once, offline, with formats."""

from __future__ import annotations

from typing import Any

import pytest

from hotplane.errors import InvalidSchema
from hotplane.schemas import MAX_PROBLEMS, Schema


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (5, "an object or a boolean"),
        (None, "JSON null"),
        ({"type": "nonsense"}, "/type"),
        ({"pattern": "("}, "regex"),
        ({"$ref": "http://127.0.0.1:9/schema"}, "Retrieval is disabled"),
        ({"$ref": "file:///etc/hostname"}, "Retrieval is disabled"),
        ({"$ref": "#/$defs/missing"}, "does not exist"),
    ],
)
def test_what_is_no_schema_is_refused(source: Any, words: str) -> None:
    """Wrong types, patterns and references are said; nothing is ever fetched."""
    with pytest.raises(InvalidSchema) as refusal:
        Schema(source)
    assert words in str(refusal.value)


def test_local_definitions_work() -> None:
    """References within the document are followed, also by its own id."""
    schema = Schema({"$defs": {"n": {"type": "integer"}}, "items": {"$ref": "#/$defs/n"}})
    assert schema.problems([1, 2]) == ()
    assert [problem.pointer for problem in schema.problems([1, "x"])] == ["/1"]


@pytest.mark.parametrize(
    ("form", "wrong"), [("email", "x"), ("date", "2026-13-01"), ("uuid", "1"), ("ipv4", "300.0.0.1")]
)
def test_formats_are_asserted(form: str, wrong: str) -> None:
    """A format is a rule, not a remark."""
    assert Schema({"format": form}).problems(wrong)


def test_problems_do_not_show_the_value() -> None:
    """The offending value may be a secret: the problem names its place only."""
    (problem,) = Schema({"properties": {"password": {"type": "integer"}}}).problems({"password": "hunter2"})
    assert problem.pointer == "/password"
    assert "hunter2" not in problem.message


def test_there_is_an_end_to_problems() -> None:
    """A thousand wrong items give a bounded list."""
    assert len(Schema({"items": {"type": "string"}}).problems([1] * 1000)) == MAX_PROBLEMS


def test_the_compiled_schema_does_not_change_with_its_source() -> None:
    """The document is copied."""
    source: dict[str, Any] = {"type": "string"}
    schema = Schema(source)
    source["type"] = "integer"
    assert schema.problems("x") == ()
