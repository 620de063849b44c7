"""Answers become values or errors."""

from __future__ import annotations

import time
from email.utils import formatdate

import msgspec
import pytest

from hotplane.client import ApiError, ApiInvalid, ApiUnavailable, Batch, NotHotplane, Readiness
from hotplane.client.answers import ended_operation, error_of, read, submitted
from hotplane.errors import Invalid, Problem

HERE = "http://h"
PROBLEM = {"content-type": "application/problem+json; charset=utf-8"}


def problem(status: int = 422, **fields: object) -> bytes:
    """Return a problem document."""
    return msgspec.json.encode({"title": "Input rejected", "detail": "It does not fit.", "status": status, **fields})


def test_a_problem_document_is_decoded_whole() -> None:
    """Code, words, pointers, execution and log entry are attributes."""
    body = problem(
        code="input-rejected",
        errors=[{"detail": "too short", "pointer": "/input/text"}, {"detail": "no number", "parameter": "limit"}],
        execution_id="e1",
        error_id="x9",
    )
    error = error_of(HERE, 422, PROBLEM, body)
    assert isinstance(error, ApiInvalid)
    assert isinstance(error, Invalid)
    assert (error.code, error.status, error.execution_id, error.error_id) == ("input-rejected", 422, "e1", "x9")
    assert error.problems == (Problem("too short", "/input/text"), Problem("no number", "/limit"))
    assert str(error) == "Input rejected: It does not fit."


def test_the_code_of_one_error_is_not_that_of_its_class() -> None:
    """The server's code is the instance's; the class keeps its own."""
    error_of(HERE, 422, PROBLEM, problem(code="input-rejected"))
    assert ApiError.code == "api-error"


def test_a_proxy_without_problem_documents_is_unavailable() -> None:
    """502 of a proxy is transient, though it is no document of ours."""
    error = error_of(HERE, 502, {"content-type": "text/html"}, b"<html>")
    assert isinstance(error, ApiUnavailable)
    assert error.transient


@pytest.mark.parametrize("status", [301, 404, 500])
def test_someone_else_is_not_hotplane(status: int) -> None:
    """Any other answer without a problem document is somebody else's."""
    assert isinstance(error_of(HERE, status, {"content-type": "text/html"}, b"<html>"), NotHotplane)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"ready": 1}', b"\xff"])
def test_what_is_not_of_the_shape_is_not_hotplane(body: bytes) -> None:
    """A successful answer that cannot be read is an error, not a crash."""
    with pytest.raises(NotHotplane):
        read(HERE, 200, {}, body, Readiness)


@pytest.mark.parametrize(("value", "least", "most"), [("7", 7, 7), ("soon", None, None), ("-1", None, None)])
def test_retry_after_in_seconds(value: str, least: float | None, most: float | None) -> None:
    """Whole seconds count; nonsense is ignored."""
    error = error_of(HERE, 503, {**PROBLEM, "retry-after": value}, problem())
    assert isinstance(error, ApiError)
    assert error.retry_after == least == most


def test_retry_after_as_a_date() -> None:
    """A date counts from now."""
    error = error_of(HERE, 503, {**PROBLEM, "retry-after": formatdate(time.time() + 3_600, usegmt=True)}, problem())
    assert isinstance(error, ApiError)
    assert error.retry_after == pytest.approx(3_600, abs=60)


def test_a_batch_may_come_alone_or_beside_its_results() -> None:
    """202 gives the batch; a small one that is answered at once has it beside the results."""
    batch = {"id": "b", "task_id": "t", "state": "running"}
    assert submitted(HERE, batch) == submitted(HERE, {"batch": batch, "results": []})
    assert isinstance(submitted(HERE, batch), Batch)


def test_an_operation_that_failed_is_its_problem() -> None:
    """What went wrong in an operation is raised as if it had been answered at once."""
    failed = {
        "state": "failed",
        "problem": {"title": "Plugin needed", "detail": "By b.", "status": 409, "code": "needed"},
    }
    with pytest.raises(ApiError, match="By b") as found:
        ended_operation(HERE, failed, Readiness)
    assert (found.value.status, found.value.code) == (409, "needed")
