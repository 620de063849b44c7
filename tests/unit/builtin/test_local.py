"""`local`: programs are loaded once and run to the deadline."""

import asyncio
import sys
import threading
from types import SimpleNamespace

import pytest

from hotplane.builtin.runners.local import LocalRunner
from hotplane.errors import ProgramNotImportable
from hotplane.plugins import ProgramFailed
from hotplane.programs import Programs, ProgramSettings, cache
from hotplane.records import Task

BOUND = 30.0


@pytest.fixture
def runner():
    """Give a runner that allows the modules of these tests."""
    made = LocalRunner()
    made.programs = Programs(ProgramSettings(allow=("local_*",)))
    yield made
    made.programs.close()


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Give a function that writes a module which is forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    names = []

    def write(name, source):
        (tmp_path / f"{name}.py").write_text(source)
        names.append(name)

    yield write
    for name in names:
        sys.modules.pop(name, None)


def task(program):
    """Return a task that runs `program`."""
    return Task(id="t", program=program)


async def test_a_task_runs_its_program(runner, module):
    """Sync and async programs answer, and failures are the program's own."""
    module("local_good", "def f(x): return x + 1\nasync def g(x): return x / 0")
    assert await runner.run(task("local_good:f"), 1, BOUND) == 2
    with pytest.raises(ProgramFailed) as failed:
        await runner.run(task("local_good:g"), 1, BOUND)
    assert failed.value.failure.type == "ZeroDivisionError"


async def test_a_program_is_loaded_once_for_many_executions(runner, module, monkeypatch):
    """A hundred first executions at once share one import."""
    module("local_once", "def f(x): return x")
    loads = []
    load = runner.programs.load

    async def counted(spec):
        loads.append(spec)
        return await load(spec)

    monkeypatch.setattr(runner.programs.loaded, "_import", counted)
    results = await asyncio.gather(*(runner.run(task("local_once:f"), n, BOUND) for n in range(100)))
    assert results == list(range(100))
    assert loads == ["local_once:f"]
    assert runner.stats() == {"programs": 1, "stuck_threads": 0, "stuck_tasks": 0}


async def test_a_program_that_cannot_be_loaded_is_tried_again_next_time(runner, module):
    """A failed import is not remembered: the file may be mended meanwhile."""
    with pytest.raises(ProgramNotImportable):
        await runner.run(task("local_mended:f"), 1, BOUND)
    module("local_mended", "def f(x): return x")
    assert await runner.run(task("local_mended:f"), 1, BOUND) == 1


async def test_a_slow_import_does_not_break_the_deadline(runner, module, monkeypatch):
    """The execution times out on time, the import goes on, and the next execution has the program."""
    release = threading.Event()
    monkeypatch.setitem(sys.modules, "local_release", SimpleNamespace(event=release))
    module("local_slow", "import local_release\nlocal_release.event.wait(20)\ndef f(x): return x")
    with pytest.raises(TimeoutError):
        await runner.run(task("local_slow:f"), 1, 0.05)
    assert runner.programs.stuck_threads == 0
    release.set()
    assert await runner.run(task("local_slow:f"), 1, BOUND) == 1


async def test_only_so_many_programs_are_remembered(runner, module, monkeypatch):
    """The oldest gives way, and still runs when it is needed again."""
    monkeypatch.setattr(cache, "MAX_CACHED", 2)
    module("local_many", "\n".join(f"def f{n}(x): return {n}" for n in range(4)))
    for number in (0, 1, 2, 3, 0):
        assert await runner.run(task(f"local_many:f{number}"), None, BOUND) == number
    assert runner.stats()["programs"] == 2
