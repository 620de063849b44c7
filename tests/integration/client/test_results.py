"""Batches and streams of both clients: every result once and in order, whatever happens to the connection."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from hotplane.client import (
    ApiNotFound,
    AsyncClient,
    Client,
    ConnectionFailed,
    ConnectionLost,
    Item,
    RetryPolicy,
    UploadIncomplete,
)
from hotplane.client.items import Upload


def numbers(results: list[Any]) -> list[int]:
    """Return the cursors of results."""
    return [each.sequence for each in results]


async def test_a_batch_gives_its_results(both: Any) -> None:
    """Items go up, results come down, with their ids."""
    items = [Item(input="a", id="first", correlation_id="c"), "b"]
    handle = await both.ask("batch", "shout", items, max_concurrency=2)
    first, second = await both.each(handle.results())
    assert (first.item_id, first.correlation_id, first.output, first.ok) == ("first", "c", "A", True)
    assert (second.item_id, second.position, second.output) == ("2", 2, "B")


async def test_options_are_parameters(both: Any, fake: Any) -> None:
    """Options are query parameters; what is left away is the server's default."""
    await both.ask("batch", "shout", [1], max_concurrency=2, stop_on_first_error=True)
    assert fake.host.seen[0].query == {"task": "shout", "max_concurrency": "2", "stop_on_first_error": "true"}
    assert fake.host.seen[0].headers["prefer"] == "respond-async"


async def test_a_file_is_sent_as_it_is(both: Any, fake: Any, tmp_path: Path) -> None:
    """A path is uploaded byte for byte: the server judges its lines."""
    file = tmp_path / "items.jsonl"
    file.write_bytes(b'{"input": "a"}\n{"input":"b"}')
    await both.ask("batch", "shout", file)
    assert fake.host.seen[0].body == file.read_bytes()


async def test_a_generator_is_never_held_whole(both: Any) -> None:
    """While the first part is on its way, later items have not been made yet."""
    made = 0

    def items() -> Iterator[str]:
        nonlocal made
        for _ in range(50_000):
            made += 1
            yield "x" * 100

    parts = iter(Upload(items()).sync())
    assert len(next(parts)) < 100_000
    assert made < 2000


async def test_a_list_is_uploaded_again(both: Any, fake: Any) -> None:
    """A refused upload of a list is repeated from its beginning, with the same key."""
    fake.host.refuse(503, "overloaded")
    handle = await both.ask("batch", "shout", ["a", "b"])
    assert len(await both.each(handle.results())) == 2
    assert len({each.headers["idempotency-key"] for each in fake.host.seen[:2]}) == 1


async def test_results_go_on_where_the_connection_was_lost(both: Any, fake: Any) -> None:
    """The answer ends too early, twice: each result comes once, in order."""
    handle = await both.ask("batch", "shout", list("abcdefgh"))
    fake.host.end_parts_after.extend([3, 0, 2])
    assert numbers(await both.each(handle.results())) == [1, 2, 3, 4, 5, 6, 7, 8]
    asked = [each.query["after"] for each in fake.host.seen if each.path.endswith("/results")]
    assert asked == ["0", "3", "3", "5"]


async def test_results_survive_a_cut_wire(cut: Any, cutter: Any) -> None:
    """The wire is cut at several places, also within a line: no result is lost or repeated."""
    cutter.cut_answers_after.extend([2500, 5000, 1234])
    handle = await cut.ask("batch", "shout", [str(n) for n in range(200)])
    assert numbers(await cut.each(handle.results())) == list(range(1, 201))
    assert cutter.connections >= 4


async def test_results_may_begin_behind_a_cursor(both: Any) -> None:
    """Whoever has the first results asks for the others."""
    handle = await both.ask("batch", "shout", list("abc"))
    again = await both.ask("open_batch", handle.id)
    assert numbers(await both.each(again.results(after=2))) == [3]


async def test_a_batch_is_paused_resumed_and_cancelled(both: Any) -> None:
    """The handle's methods give the batch's new state."""
    handle = await both.ask("batch", "shout", ["a"])
    states = [(await both.ask(each, on=handle)).state for each in ("pause", "resume", "cancel")]
    assert states == ["paused", "running", "cancelled"]
    assert (await both.ask("wait", on=handle)).ended


async def test_waiting_has_a_limit(both: Any) -> None:
    """A batch that does not end is waited for no longer than asked."""
    handle = await both.ask("batch", "shout", ["a"])
    await both.ask("pause", on=handle)
    with pytest.raises(TimeoutError):
        await both.ask("wait", 0.05, on=handle)


async def test_batches_come_page_by_page(both: Any, fake: Any) -> None:
    """The list follows the cursor to its end."""
    await both.ask("batch", "shout", ["a"])
    fake.host.ledgers["b2"] = fake.host.ledgers["b1"]
    assert [each.id for each in await both.each(both.client.batches())] == ["b1", "b2"]


async def test_a_stream_is_read_while_it_is_sent(fake: Any) -> None:
    """The second item is made only once the first result is there, on one connection."""
    first = asyncio.Event()

    async def items() -> AsyncIterator[str]:
        yield "a"
        await asyncio.wait_for(first.wait(), 60)
        yield "b"

    found: list[Any] = []
    async with AsyncClient(fake.url) as client, client.stream("shout", items()) as stream:
        async for result in stream:
            found.append(result.output)
            first.set()
    assert found == ["A", "B"]
    assert fake.host.paths() == ["POST /api/stream/execute"]


def test_a_stream_is_read_while_a_thread_sends(fake: Any) -> None:
    """The same for the client without asyncio."""
    first = threading.Event()

    def items() -> Iterator[str]:
        yield "a"
        assert first.wait(60)
        yield "b"

    found: list[Any] = []
    with Client(fake.url) as client, client.stream("shout", items()) as stream:
        for result in stream:
            found.append(result.output)
            first.set()
    assert found == ["A", "B"]
    assert stream.id == "s1"
    assert stream.status is not None
    assert stream.status.ended


async def test_a_stream_resumes_over_early_ends(both: Any, fake: Any) -> None:
    """The server ends the answer twice: the rest comes by Last-Event-ID."""
    fake.host.end_parts_after.extend([3, 2])
    results = await both.each(both.client.stream("shout", list("abcdefg")))
    assert numbers(results) == [1, 2, 3, 4, 5, 6, 7]
    again = [each.headers.get("last-event-id") for each in fake.host.seen if each.path.endswith("/events")]
    assert again == ["3", "5"]


async def test_a_stream_survives_a_restart_of_the_host(both: Any, fake: Any) -> None:
    """The host goes away in mid-answer and comes back: no result is lost or repeated."""
    fake.host.end_parts_after.append(2)
    stream = both.client.stream("shout", list("abcd"))
    found = [await both.ask("__anext__" if both.is_async else "__next__", on=stream) for _ in range(2)]
    fake.stop()
    threading.Timer(0.3, fake.start).start()
    found += await both.each(stream)
    assert numbers(found) == [1, 2, 3, 4]


async def test_a_stream_survives_a_cut_wire(cut: Any, cutter: Any) -> None:
    """The wire is cut within events: each result comes once, in order."""
    stream = cut.client.stream("shout", [str(n) for n in range(200)])
    assert len(await cut.each(stream)) == 200
    cutter.cut_answers_after.extend([1500, 4321, 700])
    again = cut.client.open_stream(stream.id)
    assert numbers(await cut.each(again)) == list(range(1, 201))
    assert cutter.connections >= 4


async def test_leaving_a_stream_cancels_the_rest(both: Any, fake: Any) -> None:
    """Whoever stops reading cancels what is left."""
    fake.host.end_parts_after.append(1)
    stream = both.client.stream("shout", list("abcd"))
    await both.ask("__anext__" if both.is_async else "__next__", on=stream)
    await both.ask("aclose" if both.is_async else "close", on=stream)
    assert fake.host.paths()[-1] == "POST /api/stream/s1/cancel"


async def test_a_detached_stream_goes_on(both: Any, fake: Any) -> None:
    """A detached stream is left alone, and another reader goes on behind the cursor."""
    fake.host.end_parts_after.append(1)
    stream = both.client.stream("shout", list("abc"), detach=True)
    await both.ask("__anext__" if both.is_async else "__next__", on=stream)
    async with asyncio.timeout(60):
        while fake.host.ledgers["s1"].state != "completed":  # noqa: ASYNC110 - who leaves sooner cuts the upload off
            await asyncio.sleep(0.01)
    await both.ask("aclose" if both.is_async else "close", on=stream)
    assert not any(each.endswith("/cancel") for each in fake.host.paths())
    rest = await both.each(both.client.open_stream(stream.id, after=stream.cursor))
    assert numbers(rest) == [2, 3]


async def test_a_cut_upload_tells_what_arrived(cut: Any, cutter: Any) -> None:
    """The wire is cut while items are sent: what arrived has results, then the error says how many."""
    cutter.cut_requests_after.append(100_000)
    results: list[Any] = []

    def items() -> Iterator[str]:
        for n in range(20_000):
            yield f"item {n}"

    with pytest.raises(UploadIncomplete) as found:
        await _collect(cut.client.stream("shout", items()), results)
    assert numbers(results) == list(range(1, found.value.accepted + 1))
    assert 0 < found.value.accepted < 20_000


async def test_a_cut_upload_of_a_batch_is_not_repeated(cut: Any, cutter: Any) -> None:
    """What has arrived of a batch runs; a second upload would run it twice."""
    cutter.cut_requests_after.append(50_000)
    with pytest.raises(ConnectionLost):
        await cut.ask("batch", "shout", ["x" * 100] * 20_000)
    assert cutter.connections == 1


async def test_an_error_of_the_items_is_the_callers(both: Any, fake: Any) -> None:
    """When making the items fails, the caller gets that error, and what is left is cancelled."""

    def items() -> Iterator[str]:
        yield "a"
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        await both.each(both.client.stream("shout", items()))


async def test_a_refused_stream_is_an_error(both: Any, fake: Any) -> None:
    """A refusal before the first event is raised with the server's words."""
    fake.host.refuse(404, "unknown-task", times=9)  # the end of a connection with an unread body may swallow one
    with pytest.raises(ApiNotFound):
        await both.each(both.client.stream("nothing", (str(n) for n in range(100_000))))


def test_a_slow_reader_does_not_stop_the_upload(fake: Any) -> None:
    """The thread that sends goes on while nobody reads."""
    sent = threading.Event()

    def items() -> Iterator[str]:
        yield "a"
        yield "b"
        sent.set()

    with Client(fake.url) as client, client.stream("shout", items()) as stream:
        next(stream)
        assert sent.wait(60)
        assert len(list(stream)) == 1


async def test_run_batch_is_the_short_form(both: Any) -> None:
    """One call gives the results."""
    results = await both.each(both.client.run_batch("shout", (c for c in "abc")))
    assert [each.output for each in results] == ["A", "B", "C"]


async def test_asynchronous_items_need_the_async_client(fake: Any) -> None:
    """The client without asyncio says what to use instead."""

    async def items() -> AsyncIterator[str]:
        yield "a"

    with Client(fake.url) as client, pytest.raises(TypeError, match="AsyncClient"):
        client.batch("shout", items())  # type: ignore[arg-type]


async def test_a_stream_goes_both_ways_over_tls(kind: str, secure: Any, certificate: Path) -> None:
    """Sending and reading share one TLS connection: thousands of items go up while their results come down."""
    trust = ssl.create_default_context(cafile=str(certificate))
    client = (AsyncClient if kind == "async" else Client)(secure.url, verify=trust)
    stream: Any = client.stream("shout", (f"item {n} {'x' * 200}" for n in range(5000)))
    if isinstance(client, AsyncClient):
        found = [each async for each in stream]
        await client.aclose()
    else:
        found = await asyncio.to_thread(list, stream)
        client.close()
    assert numbers(found) == list(range(1, 5001))
    assert secure.host.paths() == ["POST /api/stream/execute"]


async def test_a_certificate_that_nobody_vouches_for_is_refused(kind: str, secure: Any) -> None:
    """The connection of a stream checks certificates like every other one."""
    policy = RetryPolicy(attempts=1)
    client: Any = (AsyncClient if kind == "async" else Client)(secure.url, resume=policy)
    with pytest.raises(ConnectionFailed, match="certificate"):
        await _collect(client.stream("shout", ["a"]), [])
    await client.aclose() if kind == "async" else client.close()


async def _collect(iterator: Any, into: list[Any]) -> None:
    """Put everything that an iterator gives into a list, also when it fails."""
    if hasattr(iterator, "__aiter__"):
        async for each in iterator:
            into.append(each)  # noqa: PERF401 - those before an error count
    else:
        await asyncio.to_thread(into.extend, iterator)
