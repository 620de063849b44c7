"""Programs of every sort, run by both doors of a real worker."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import httpx2
import pytest

from hotplane.valkyrie import DeadlineExceeded, PeerFailed, ProgramFailed, UnknownTarget
from tests.integration.worker.conftest import Running, is_alive, until

VALUE = {"text": "käse", "numbers": [1, 2.5, None, True]}


@pytest.mark.parametrize("program", ["light:echo", "light:aecho"])
async def test_a_program_runs_by_both_doors(worker: Running, program: str):
    """Sync or async: what goes in comes out, the same by Valkyrie and by HTTP."""
    answer = await worker.post(program, VALUE)
    assert await worker.call(program, VALUE) == VALUE
    assert (answer.status_code, answer.json()) == (200, {"output": VALUE})


async def test_a_cpu_bound_program_runs_in_a_process_of_its_own(worker: Running):
    """Its process is not the worker's, whichever door the call came by; other programs run in the worker itself."""
    by_valkyrie = await worker.call("heavy:pid", None)
    by_http = (await worker.post("heavy:pid", None)).json()["output"]
    assert worker.process.pid not in {by_valkyrie, by_http}
    assert await worker.call("light:pid", None) == worker.process.pid


async def test_a_program_error_is_typed(worker: Running):
    """What a program raised comes with its class, its message and its own frames; by HTTP with status 200."""
    with pytest.raises(ProgramFailed) as failed:
        await worker.call("light:fail", "no")
    answer = await worker.post("light:fail", "no")
    error = answer.json()["error"]
    assert (failed.value.type, failed.value.message) == ("ValueError", "no")
    assert (answer.status_code, error["type"], error["message"]) == (200, "ValueError", "no")
    assert "light.py" in error["traceback"]
    assert "hotplane" not in error["traceback"]


@pytest.mark.parametrize("program", ["os:getcwd", "light:nothing", "light", "heavy:nothing", "light:os"])
async def test_what_is_not_allowed_or_not_there_is_unknown(worker: Running, program: str):
    """Neither door runs it, both say so, and both say that it certainly did not run."""
    with pytest.raises(UnknownTarget) as unknown:
        await worker.call(program, None)
    answer = await worker.post(program, None)
    assert unknown.value.executed == "no"
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "unknown-program")


async def test_a_program_has_no_method_but_run(worker: Running):
    """Another method is an unknown target."""
    async with worker.client() as client:
        with pytest.raises(UnknownTarget, match="no method 'walk'"):
            await client.call("light:echo", "walk", b"1", 30)


@pytest.mark.parametrize("program", ["light:echo", "heavy:pid"])
async def test_a_payload_that_is_not_json_is_refused_before_anything_runs(worker: Running, program: str):
    """The failure says that nothing was executed."""
    async with worker.client() as client:
        with pytest.raises(PeerFailed, match="not JSON") as failed:
            await client.call(program, "run", b"{nope", 30)
    assert failed.value.executed == "no"


async def test_a_deadline_ends_an_async_program(worker: Running):
    """The caller gets its answer at the deadline, and the program is cancelled."""
    while not worker.marked("begun"):  # the deadline of a slow machine's first call may be over before
        answer = await worker.post("light:nap", worker.marks, deadline_ms=500)
        assert (answer.status_code, answer.json()["error"]["type"]) == (504, "deadline-exceeded")
    await until(lambda: worker.marked("cancelled"))


async def test_the_worker_keeps_the_deadline_by_itself(worker: Running):
    """It answers although the caller would wait for longer than it said."""
    async with worker.client() as client:
        while not worker.marked("begun"):
            with pytest.raises(DeadlineExceeded):
                await client.call("light:nap", "run", b'{"begun": "%b", "cancelled": "%b"}' % _paths(worker), 0.1)
    await until(lambda: worker.marked("cancelled"))


async def test_a_cancelled_valkyrie_call_cancels_its_program(worker: Running):
    """The cancel frame reaches the program."""
    call = asyncio.create_task(worker.call("light:nap", worker.marks, 30))
    await until(lambda: worker.marked("begun"))
    call.cancel()
    await until(lambda: worker.marked("cancelled"))
    await asyncio.gather(call, return_exceptions=True)


async def test_an_http_client_that_goes_away_cancels_its_program(worker: Running):
    """Nobody waits for the answer, so nothing runs on."""
    call = asyncio.create_task(worker.post("light:nap", worker.marks))
    await until(lambda: worker.marked("begun"))
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await until(lambda: worker.marked("cancelled"))


@pytest.mark.parametrize(
    ("program", "value", "cause"), [("heavy:leave", 3, "exit status 3"), ("heavy:crash", None, "killed by SIGSEGV")]
)
async def test_a_program_that_takes_its_process_down_is_a_program_error(
    worker: Running, program: str, value: object, cause: str
):
    """The error says how the process died; the worker goes on, with another process in its place."""
    with pytest.raises(ProgramFailed, match=cause) as died:
        await worker.call(program, value)
    assert died.value.type == "ProcessDied"
    assert await worker.call("heavy:pid", None) != worker.process.pid


async def test_native_code_that_never_lets_go_is_killed_at_its_deadline(worker: Running):
    """It holds the interpreter, so that nothing inside its process could stop it; the worker kills and replaces it."""
    with pytest.raises(DeadlineExceeded):
        await worker.call("heavy:hold_interpreter", None, 0.3)
    assert isinstance(await worker.call("heavy:pid", None), int)


async def test_a_process_that_overran_is_gone_with_what_it_started(worker: Running):
    """A program's own child does not outlive the process that was killed."""
    while not (pids := pids_in(worker)):
        answer = await worker.post("heavy:spawn", worker.marks, deadline_ms=1_000)
        assert answer.status_code == 504
    killed, grandchild = pids
    await until(lambda: not is_alive(killed) and not is_alive(grandchild))


async def test_what_a_program_prints_goes_to_the_log(worker: Running):
    """Standard output belongs to the ready line."""
    assert await worker.call("heavy:say", "printed by a program") == "printed by a program"
    await until(lambda: "printed by a program" in worker.log)


async def test_a_packed_request_is_understood(worker: Running):
    """The door says that it takes gzip, and takes it."""
    body = gzip.compress(b'{"program": "light:echo", "input": "packed"}')
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    async with httpx2.AsyncClient(base_url=worker.url, trust_env=False, timeout=30) as client:
        answer = await client.post("/run", content=body, headers=headers)
    assert answer.headers["accept-encoding"] == "gzip"
    assert answer.json() == {"output": "packed"}


def pids_in(worker: Running) -> tuple[int, ...]:
    """Return the process ids that a program left; none when it did not come so far."""
    left = Path(worker.marks["begun"])
    return tuple(map(int, left.read_text("utf-8").split())) if left.exists() else ()


def _paths(worker: Running) -> tuple[bytes, bytes]:
    return worker.marks["begun"].encode(), worker.marks["cancelled"].encode()
