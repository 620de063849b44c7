"""Following a stream over crashes of its host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.api.resume_log import play, summary
from tests.integration.api.stream_clients import following

ITEMS = 900


@pytest.mark.timeout(180)
async def test_a_reader_resumes_over_kills_of_the_host(tmp_path: Path) -> None:
    """SIGKILL in mid-stream, twice: every result once, in the order of the ledger, and nothing after the end."""
    seen = await play(tmp_path, items=ITEMS, kills=2)
    print(summary(seen, ITEMS))
    assert (seen.lost(ITEMS), seen.repeated, len(seen.positions)) == (0, 0, ITEMS)
    assert seen.sequences == sorted(seen.sequences)
    assert seen.connections >= 3
    assert seen.end is not None
    assert (seen.end["state"], seen.end["done"], seen.after_end) == ("completed", ITEMS, 204)


async def finished(edge: Any, count: int = 5) -> tuple[str, list[int]]:
    """Return the address of a batch that has ended, and the sequences of its results."""
    items = [{"input": number} for number in range(count)]
    made = (await edge.client.post("/api/batch/execute?task=echo", json=items)).json()
    path = f"/api/batch/{made['batch']['id']}"
    text = (await edge.client.get(f"{path}/results")).text
    return path, [json.loads(line)["sequence"] for line in text.splitlines()]


async def test_every_place_is_one_to_go_on_from(edge: Any) -> None:
    """Behind each result come exactly the others and the end."""
    path, sequences = await finished(edge)
    for index, last in enumerate(sequences):
        async with following(edge.client, f"{path}/events", str(last)) as events:
            ids = [event.id async for event in events if event.id]
        assert ids == [*map(str, sequences[index + 1 :]), f"end-{sequences[-1]}"]


async def test_behind_the_end_there_is_nothing(edge: Any) -> None:
    """204 tells an EventSource not to come back."""
    path, sequences = await finished(edge)
    answer = await edge.client.get(f"{path}/events", headers={"last-event-id": f"end-{sequences[-1]}"})
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("last", ["x", "1.5", "end", "end-", "end-0", "999999999", "9" * 25, "end-999999999", "-1"])
async def test_an_id_that_is_none_is_refused(edge: Any, last: str) -> None:
    """No number, of the future, of another stream."""
    path, _ = await finished(edge)
    _, others = await finished(edge)
    for each in (last, str(others[0]), f"end-{others[-1]}"):
        answer = await edge.client.get(f"{path}/events", headers={"last-event-id": each})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")


async def test_the_end_has_not_come_while_it_runs(edge: Any) -> None:
    """Whoever claims to have seen it is refused."""
    made = await edge.client.post(
        "/api/batch/execute?task=patient", json=[{"input": 5}], headers={"prefer": "respond-async"}
    )
    answer = await edge.client.get(f"{made.headers['location']}/events", headers={"last-event-id": "end-0"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")
