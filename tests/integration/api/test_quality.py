"""The quality of a task over real sockets."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import jsonschema_rs
import pytest


async def quality(edge: Any, task: str = "echo", **query: object) -> dict[str, Any]:
    """Return the report of a task."""
    answer = await edge.client.get(f"/api/tasks/{task}/quality", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_rate_is_that_of_the_verdicts(edge: Any) -> None:
    """Where everything is picked, the rate is known and the interval has no width."""
    for expected in (1, 1, 1, 2):
        await edge.execute("echo", 1, expected=expected)
    await edge.execute("boom", 1)
    report = await quality(edge)
    assert (report["executions"], report["picked"], report["failures"], report["not_judged"]) == (4, 4, 1, 0)
    assert report["failure_rate"] == {"value": 0.25, "low": 0.25, "high": 0.25}
    assert report["accuracy"] == {"value": 0.75, "low": 0.75, "high": 0.75}
    assert report["latency"]["count"] == 4
    assert (report["task_id"], report["confidence"], report["buckets"]) == ("echo", 0.95, [])


async def test_inputs_that_were_rejected_are_counted_and_not_covered(edge: Any) -> None:
    """No sampler decides on them, so that no estimate is about them."""
    await edge.execute("strict", "not an object")
    report = await quality(edge, "strict")
    assert (report["executions"], report["covered"], report["failure_rate"]) == (1, 0, None)
    assert "picked none" in report["reason"]


async def test_a_task_without_executions_has_no_estimate(edge: Any) -> None:
    """Counts of 0 and null, with the reason."""
    report = await quality(edge, bucket="hour")
    assert (report["executions"], report["failure_rate"], report["buckets"]) == (0, None, [])
    assert "no executions" in report["reason"]


async def test_buckets_fill_the_range(edge: Any) -> None:
    """Every quarter of an hour of the range is there, and the executions are in theirs."""
    ran = datetime.fromisoformat((await edge.execute("echo", 1)).json()["started_at"])
    since = ran - timedelta(minutes=40)
    report = await quality(edge, since=since.isoformat(), bucket="15m", confidence=0.9)
    for bucket in report["buckets"]:
        within = datetime.fromisoformat(bucket["start"]) <= ran < datetime.fromisoformat(bucket["end"])
        assert bucket["executions"] == within
    assert sum(bucket["executions"] for bucket in report["buckets"]) == 1
    assert len(report["buckets"]) in {3, 4}
    assert report["bucket_seconds"] == 900
    assert datetime.fromisoformat(report["buckets"][0]["start"]) == since


async def test_an_unknown_task_is_not_found(edge: Any) -> None:
    """404, with the task that may have been meant."""
    answer = await edge.client.get("/api/tasks/ecko/quality")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-task")
    assert "'echo'" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"bucket": "fortnight"}, "bucket"),
        ({"bucket": "0m"}, "bucket"),
        ({"bucket": "15"}, "bucket"),
        ({"confidence": 95}, "confidence"),
        ({"confidence": "nan"}, "confidence"),
        ({"since": "yesterday"}, "since"),
        ({"until": "2026-01-01T00:00:00"}, "until"),
        ({"buckets": "hour"}, "buckets"),
    ],
)
async def test_a_wrong_query_is_refused_by_name(edge: Any, query: dict[str, object], parameter: str) -> None:
    """The problem names the parameter."""
    answer = await edge.client.get("/api/tasks/echo/quality", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "query-does-not-fit")
    assert [each["parameter"] for each in answer.json()["errors"]] == [parameter]


async def test_a_misspelt_parameter_is_guessed(edge: Any) -> None:
    """Also where a part of the path is variable."""
    answer = await edge.client.get("/api/tasks/echo/quality", params={"buckets": "hour"})
    assert "did you mean 'bucket'" in answer.text


async def test_too_many_buckets_are_refused(edge: Any) -> None:
    """More than 500, and a range that ends before it begins."""
    for since, until, words in (
        ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "1440 buckets"),
        ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", "ends before"),
    ):
        answer = await edge.client.get(
            "/api/tasks/echo/quality", params={"since": since, "until": until, "bucket": "minute"}
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
        assert words in answer.json()["detail"]


async def test_reports_fit_their_description(edge: Any) -> None:
    """With and without an estimate."""
    document = (await edge.client.get("/openapi.json")).json()
    operation = document["paths"]["/api/tasks/{task_id}/quality"]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    await edge.execute("echo", 1)
    for task in ("echo", "boom"):
        report = await quality(edge, task, bucket="hour")
        jsonschema_rs.validate({**schema, "components": document["components"]}, report)


async def test_thresholds_are_part_of_a_task(edge: Any) -> None:
    """They are taken and shown; what could never be measured is refused where it stands."""
    task = {"id": "watched", "program": "edge_programs:echo", "thresholds": {"accuracy_min": 0.9}}
    made = await edge.client.post("/api/tasks", json=task)
    assert made.status_code == 201, made.text
    assert made.json()["thresholds"]["accuracy_min"] == 0.9
    assert made.json()["thresholds"]["window_count"] == 1000
    task["thresholds"] = {"window_count": 10, "minimum_volume": 20}
    refused = await edge.client.put("/api/tasks/watched", json=task)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/thresholds")
    assert "minimum_volume" in refused.json()["detail"]
