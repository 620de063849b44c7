"""Looking at executions over real sockets."""

from __future__ import annotations

from typing import Any

import pytest


async def listed(edge: Any, **query: object) -> list[dict[str, Any]]:
    """Return the items of a page."""
    answer = await edge.client.get("/api/executions", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_lists_the_newest_first(edge: Any) -> None:
    """A page begins with what was executed last."""
    for number in range(3):
        await edge.execute("echo", number)
    assert [each["input"] for each in await listed(edge)] == [2, 1, 0]


async def test_pages_hang_together(edge: Any) -> None:
    """`next_cursor` leads through everything once, and is null at the end."""
    for number in range(5):
        await edge.execute("echo", number)
    seen: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await edge.client.get("/api/executions", params={"limit": 2, **cursor})).json()
        seen += [each["input"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [4, 3, 2, 1, 0]


async def test_every_filter_narrows(edge: Any) -> None:
    """Task, status, verdict, sampling, id and time each choose what they say."""
    good = (await edge.execute("echo", 1, expected=1)).json()
    bad = (await edge.execute("echo", 2, expected=3)).json()
    broken = (await edge.execute("boom", 4)).json()
    rejected = (await edge.execute("strict", 5)).json()["execution_id"]

    async def ids(**query: object) -> set[str]:
        return {each["id"] for each in await listed(edge, **query)}

    assert await ids(task="boom") == {broken["id"]}
    assert await ids(status="rejected") == {rejected}
    assert await ids(valid="true") == {good["id"]}
    assert await ids(valid="unjudged") >= {rejected}
    assert bad["id"] in await ids(valid="false")
    assert rejected not in await ids(sampled="true")
    assert await ids(id=good["id"]) == {good["id"]}
    assert await ids(to=good["started_at"]) == set()
    assert await ids(**{"from": broken["started_at"]}) == {broken["id"], rejected}


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"status": "fine"}, "status"),
        ({"valid": "maybe"}, "valid"),
        ({"sampled": "perhaps"}, "sampled"),
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-01-01T00:00:00"}, "to"),
        ({"statsu": "error"}, "statsu"),
    ],
)
async def test_a_wrong_query_is_refused_by_name(edge: Any, query: dict[str, object], parameter: str) -> None:
    """The problem names the parameter."""
    answer = await edge.client.get("/api/executions", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "query-does-not-fit")
    assert [each["parameter"] for each in answer.json()["errors"]] == [parameter]


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/api/executions?limit=1&limit=2", "limit"),
        ("/api/executions?limit=1&limit=1", "limit"),
        ("/api/executions?from=2026-01-01T00:00:00Z&task=a&from=2026-01-01T00:00:00Z", "from"),
        ("/api/executions?status=error&status=success", "status"),
        ("/api/plugins?kind=runner&kind=sampler", "kind"),
        ("/api/events?type=task.created&after=1&type=task.updated&after=2", "after"),
    ],
)
async def test_a_parameter_of_one_value_is_not_given_twice(edge: Any, path: str, parameter: str) -> None:
    """Which of the two was meant nobody can tell, even where they are the same."""
    answer = await edge.client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (422, "query-does-not-fit")
    (error,) = answer.json()["errors"]
    assert error["parameter"] == parameter
    assert "takes one value, not 2" in error["detail"]


async def test_a_parameter_of_several_values_is(edge: Any) -> None:
    """All of them count."""
    answer = await edge.client.get("/api/events?type=task.created&type=task.updated&severity=info&severity=error")
    assert answer.status_code == 200


async def test_a_misspelt_parameter_is_corrected(edge: Any) -> None:
    """The problem suggests the one that was meant."""
    answer = await edge.client.get("/api/executions", params={"statsu": "error"})
    assert "did you mean 'status'" in answer.json()["detail"]


async def test_a_made_up_cursor_is_refused(edge: Any) -> None:
    """Only a cursor that was given out leads on."""
    answer = await edge.client.get("/api/executions", params={"cursor": "abcdef"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")


async def test_an_unknown_execution_is_not_found(edge: Any) -> None:
    """There is nothing to show."""
    answer = await edge.client.get("/api/executions/nobody")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-execution")
