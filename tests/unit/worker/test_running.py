"""Running programs in this process for somebody else."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from hotplane.plugins import Call as Origin
from hotplane.programs import Programs, ProgramSettings
from hotplane.valkyrie import (
    DeadlineExceeded,
    PeerFailed,
    PeerOverloaded,
    PeerShuttingDown,
    ProgramFailed,
    UnknownTarget,
)
from hotplane.worker.running import InProcess

PATIENT = 60.0
MODULE = "worker_running_programs"
SOURCE = """
from worker_running_gate import gate
from hotplane.plugins import CURRENT_CALL

def origin(_):
    call = CURRENT_CALL.get()
    return [call.execution_id, call.traceparent]

def fail(_):
    raise KeyError("missing")

def not_json(_):
    return {1, 2}

def quick(_):
    pass

def wait(_):
    gate.wait(60)
"""
SLOW = "from worker_running_gate import gate\ngate.wait(60)\ndef run(_): return 1\n"


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """What programs that take their time wait for; open in the end."""
    event = threading.Event()
    monkeypatch.setitem(sys.modules, "worker_running_gate", SimpleNamespace(gate=event))  # pyright: ignore[reportArgumentType]
    yield event
    event.set()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: threading.Event) -> Iterator[str]:
    """The name of a module with programs."""
    (tmp_path / f"{MODULE}.py").write_text(SOURCE, "utf-8")
    (tmp_path / f"{MODULE}_slow.py").write_text(SLOW, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield MODULE
    for name in (MODULE, f"{MODULE}_slow"):
        sys.modules.pop(name, None)


@pytest.fixture
def programs() -> Iterator[Programs]:
    """Programs of that module, one at a time."""
    allowed = ProgramSettings(allow=(f"{MODULE}*",), max_threads=1, max_stuck=1, queue_limit=0)
    running = Programs(allowed)
    yield running
    running.close()


async def run(programs: Programs, spec: str, payload: bytes = b"null", seconds: float = PATIENT) -> bytes:
    """Run one program, for an execution with an id and a trace."""
    return await InProcess(programs).run(spec, payload, seconds, Origin(execution_id="e-1", traceparent="00-t"))


async def test_a_program_sees_for_which_execution_it_runs(module: str, programs: Programs):
    """Its id and its trace, also in a thread."""
    assert await run(programs, f"{module}:origin") == b'["e-1","00-t"]'


async def test_what_it_raises_is_a_typed_failure(module: str, programs: Programs):
    """Class, message and the program's frames."""
    with pytest.raises(ProgramFailed) as failed:
        await run(programs, f"{module}:fail")
    assert (failed.value.type, failed.value.message) == ("KeyError", "'missing'")
    assert "in fail" in (failed.value.traceback or "")


async def test_an_output_that_is_not_json_is_the_programs_fault(module: str, programs: Programs):
    """It ran, so nothing may be tried elsewhere."""
    with pytest.raises(ProgramFailed) as failed:
        await run(programs, f"{module}:not_json")
    assert failed.value.type == "not-json"


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff", b"[" * 100_000])
async def test_a_payload_that_is_not_json_runs_nothing(module: str, programs: Programs, payload: bytes):
    """Malformed, not UTF-8, or nested without end."""
    with pytest.raises(PeerFailed, match="not JSON") as failed:
        await run(programs, f"{module}:origin", payload)
    assert failed.value.executed == "no"


@pytest.mark.parametrize("spec", ["os:getcwd", f"{MODULE}:nothing", "nonsense", ""])
async def test_what_may_not_run_is_unknown(module: str, programs: Programs, spec: str):
    """Not allowed, not there, or no name of a program at all."""
    with pytest.raises(UnknownTarget):
        await run(programs, spec)


async def test_a_full_pool_refuses(module: str, programs: Programs, gate: threading.Event):
    """The only thread is busy and nobody may wait: the second call is refused as not executed."""
    await programs.loaded.load(f"{module}:wait")
    await run(programs, f"{module}:quick")
    first = asyncio.create_task(run(programs, f"{module}:wait"))
    await asyncio.sleep(0)
    with pytest.raises(PeerOverloaded) as refused:
        await run(programs, f"{module}:quick")
    assert refused.value.executed == "no"
    gate.set()
    assert await first == b"null"


async def test_stuck_threads_refuse(module: str, programs: Programs):
    """A thread that overran counts until it returns."""
    await programs.loaded.load(f"{module}:wait")
    await run(programs, f"{module}:quick")
    overran: list[DeadlineExceeded] = []
    while not programs.stuck_threads:  # a deadline that passed before a thread was asked for leaves none behind
        with pytest.raises(DeadlineExceeded) as caught:
            await run(programs, f"{module}:wait", seconds=0.05)
        overran.append(caught.value)
    with pytest.raises(PeerOverloaded, match="threads hang"):
        await run(programs, f"{module}:quick")
    assert {each.executed for each in overran} == {"maybe"}


async def test_a_deadline_that_an_import_outlasts_says_that_nothing_ran(
    module: str, programs: Programs, gate: threading.Event
):
    """The import goes on for the next call, which does not wait for it again."""
    running = InProcess(programs)
    with pytest.raises(DeadlineExceeded) as overran:
        await running.run(f"{module}_slow:run", b"null", 0.05, Origin())
    assert overran.value.executed == "no"
    gate.set()
    assert await running.run(f"{module}_slow:run", b"null", PATIENT, Origin()) == b"1"


async def test_closed_programs_are_a_peer_that_shuts_down(module: str, programs: Programs):
    """A call that comes too late did not run."""
    programs.close()
    with pytest.raises(PeerShuttingDown) as late:
        await run(programs, f"{module}:origin")
    assert late.value.executed == "no"
