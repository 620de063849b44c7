"""The Valkyrie runner beside workers that answer, refuse, overrun and fail."""

from __future__ import annotations

import asyncio
import time

import pytest

from hotplane.plugins import (
    CURRENT_CALL,
    NotExecuted,
    ProgramFailed,
    ProgramOverran,
    TransportFailed,
)
from hotplane.plugins import Call as CurrentCall
from hotplane.records import Task
from hotplane.valkyrie import Call, PeerFailed, PeerOverloaded, PeerShuttingDown, UnknownTarget
from hotplane.valkyrie import ProgramFailed as RemoteProgramFailed
from tests.integration.runners.conftest import BOUND, TASK, StartRunner, StartWorker, figures, run_sent, until
from tests.integration.valkyrie.conftest import RawPeer, RawServe
from tests.pace import kept


async def test_the_worker_hears_what_to_run(start_worker: StartWorker, start_runner: StartRunner):
    """Program, method, input, time and trace arrive as docs/reference/valkyrie.md says."""
    seen: list[Call] = []

    def handle(call: Call) -> bytes:
        seen.append(call)
        return b"null"

    runner = await start_runner((await start_worker(handle)).endpoint)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    token = CURRENT_CALL.set(CurrentCall(traceparent=trace))
    clock = asyncio.get_running_loop().time
    began = clock()
    assert await runner.run(TASK, {"ü": [1]}, BOUND) is None
    took_ms = (clock() - began) * 1e3
    CURRENT_CALL.reset(token)
    assert (seen[0].target, seen[0].method, seen[0].trace) == ("examples.spam:detect", "run", trace)
    assert seen[0].payload == '{"ü":[1]}'.encode()
    assert BOUND * 1e3 - took_ms - 2 <= seen[0].remaining_ms <= BOUND * 1e3


async def test_the_requests_own_limit_counts_where_it_is_sooner(
    start_worker: StartWorker, start_runner: StartRunner, monkeypatch: pytest.MonkeyPatch
):
    """`request_timeout_ms` ends a call before the task's deadline."""
    monkeypatch.setattr("hotplane.builtin.runners.valkyrie.runner._LAST_WORD_SECONDS", BOUND)

    async def handle(call: Call) -> bytes:
        await asyncio.sleep(30)
        return b""

    runner = await start_runner((await start_worker(handle)).endpoint, request_timeout_ms=100)
    began = time.perf_counter()
    with pytest.raises(ProgramOverran):
        await run_sent(runner, 50)
    assert time.perf_counter() - began < 20


async def test_a_worker_that_shows_no_sign_of_life_is_to_blame(raw_serve: RawServe, start_runner: StartRunner):
    """Without an answer and without a pong the deadline's end counts against the runner."""

    async def deaf(peer: RawPeer) -> None:
        await peer.welcome()
        await asyncio.sleep(30)

    runner = await start_runner(await raw_serve(deaf))

    async def call() -> None:
        with pytest.raises(TimeoutError) as raised:
            await run_sent(runner, 0.2)
        assert not isinstance(raised.value, ProgramOverran)

    assert await kept(0.25, call)


async def test_a_cancelled_call_is_cancelled_at_the_worker(start_worker: StartWorker, start_runner: StartRunner):
    """Giving up a call stops the program."""
    began, ended = asyncio.Event(), asyncio.Event()

    async def handle(call: Call) -> bytes:
        began.set()
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()
        return b""

    runner = await start_runner((await start_worker(handle)).endpoint)
    call = asyncio.ensure_future(runner.run(TASK, 1, BOUND))
    await asyncio.wait_for(began.wait(), BOUND)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(ended.wait(), BOUND)


REFUSALS = [
    (PeerOverloaded("full"), (NotExecuted, "overloaded", False)),
    (UnknownTarget("no such program"), (NotExecuted, "unknown-program", False)),
    (PeerShuttingDown("bye"), (NotExecuted, "shutting-down", True)),
    (PeerFailed("not JSON", executed="no"), (NotExecuted, "peer-failed", True)),
    (PeerFailed("bug"), (TransportFailed, "peer-failed", None)),
    (PeerShuttingDown("bye", executed="maybe"), (TransportFailed, "shutting-down", None)),
]


@pytest.mark.parametrize(("raised", "expected"), REFUSALS)
async def test_a_workers_refusals_keep_their_meaning(
    start_worker: StartWorker, start_runner: StartRunner, raised: Exception, expected: object
):
    """Whether it ran, the word for it, and whether it speaks against the runner; said without delay."""

    def handle(call: Call) -> bytes:
        raise raised

    runner = await start_runner((await start_worker(handle)).endpoint, connect_timeout_ms=50_000)
    began = time.perf_counter()
    with pytest.raises((NotExecuted, TransportFailed)) as refused:
        await runner.run(TASK, 1, 50)
    error = refused.value
    assert (type(error), error.code, getattr(error, "counts", None)) == expected
    assert time.perf_counter() - began < 20  # half of the request's limit is what it might have waited


async def test_a_programs_traceback_arrives(start_worker: StartWorker, start_runner: StartRunner):
    """Type, message and the program's own frames come along."""

    def handle(call: Call) -> bytes:
        raise RemoteProgramFailed("bad", type="ValueError", traceback="line 1")

    runner = await start_runner((await start_worker(handle)).endpoint)
    with pytest.raises(ProgramFailed) as raised:
        await runner.run(TASK, 1, BOUND)
    failure = raised.value.failure
    assert (failure.type, failure.message, failure.traceback) == ("ValueError", "bad", "line 1")


@pytest.mark.parametrize("answer", [b"", b"{", b"NaN", b"1e999", b"\xff", b'"\\ud800"', b"[" * 100_000])
async def test_an_answer_that_is_not_json_is_the_workers_failure(
    start_worker: StartWorker, start_runner: StartRunner, answer: bytes
):
    """A worker that talks nonsense may have run the program."""
    runner = await start_runner((await start_worker(lambda call: answer)).endpoint)
    with pytest.raises(TransportFailed) as raised:
        await runner.run(TASK, 1, BOUND)
    assert raised.value.code == "malformed-answer"


@pytest.mark.parametrize("answer", [str(2**64).encode(), str(-(2**63) - 1).encode(), b"[" * 65 + b"]" * 65])
async def test_json_beyond_the_data_model_is_the_programs_failure(
    start_worker: StartWorker, start_runner: StartRunner, answer: bytes
):
    """A worker in another language may let through what no runner does."""
    runner = await start_runner((await start_worker(lambda call: answer)).endpoint)
    with pytest.raises(ProgramFailed) as raised:
        await runner.run(TASK, 1, BOUND)
    assert raised.value.failure.type == "not-json"


async def test_an_input_that_does_not_fit_was_not_executed(start_worker: StartWorker, start_runner: StartRunner):
    """A call beyond the worker's frames is for another runner, and does not speak against this one."""
    runner = await start_runner((await start_worker(max_frame_bytes=10_000)).endpoint)
    with pytest.raises(NotExecuted) as raised:
        await runner.run(TASK, "x" * 10_000, BOUND)
    assert (raised.value.code, raised.value.counts) == ("too-large", False)


async def test_an_output_that_does_not_fit_is_the_programs_failure(
    start_worker: StartWorker, start_runner: StartRunner
):
    """The breaker must not open for everybody because one task's outputs are too large."""
    server = await start_worker(lambda call: b'"' + b"x" * 10_000 + b'"')
    runner = await start_runner(server.endpoint, max_frame_bytes=10_000)
    with pytest.raises(ProgramFailed) as raised:
        await runner.run(TASK, 1, BOUND)
    assert raised.value.failure.type == "too-large"


async def test_a_program_name_of_any_length_does_no_harm(start_worker: StartWorker, start_runner: StartRunner):
    """A name that the protocol cannot carry is refused before it is sent."""
    runner = await start_runner((await start_worker()).endpoint)
    with pytest.raises(NotExecuted):
        await runner.run(Task(id="t", program="m:" + "x" * 1_000), 1, BOUND)
    assert await runner.run(TASK, 1, BOUND) == 1


async def test_without_time_nothing_is_sent(start_worker: StartWorker, start_runner: StartRunner):
    """A deadline that has passed was certainly not executed."""
    seen: list[Call] = []
    runner = await start_runner((await start_worker(lambda call: seen.append(call) or b"1")).endpoint)
    with pytest.raises(NotExecuted) as raised:
        await runner.run(TASK, 1, 0.0)
    assert (raised.value.code, seen) == ("deadline-exceeded", [])


async def test_figures_say_what_happened(start_worker: StartWorker, start_runner: StartRunner):
    """Calls, errors by kind, bytes and round trips are counted for each endpoint."""

    async def handle(call: Call) -> bytes:
        if call.payload == b"0":
            raise UnknownTarget
        return call.payload

    server = await start_worker(handle)
    runner = await start_runner(server.endpoint)
    began = time.perf_counter()
    await runner.run(TASK, 12, BOUND)
    took_ms = (time.perf_counter() - began) * 1e3
    with pytest.raises(NotExecuted):
        await runner.run(TASK, 0, BOUND)
    await until(lambda: server.connections == 2)
    found = await figures(runner, server)
    assert (found["calls"], found["errors"]) == (2, {"unknown-target": 1})
    assert (found["bytes_sent"], found["bytes_received"], found["state"]) == (3, 2, "connected")
    assert 0 < found["round_trip_p50_ms"] <= found["round_trip_p99_ms"] < 2 * took_ms


async def test_times_are_measured_only_where_wanted(start_worker: StartWorker, start_runner: StartRunner):
    """Without `metrics` calls are counted and not timed."""
    server = await start_worker()
    runner = await start_runner(server.endpoint, metrics=False)
    await runner.run(TASK, 1, BOUND)
    found = await figures(runner, server)
    assert (found["calls"], found["round_trip_p99_ms"]) == (1, 0.0)
