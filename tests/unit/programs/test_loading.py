"""Loading programs: only what is allowed, and every failure with a reason that can be read."""

import os
import sys
import threading
from textwrap import dedent
from types import SimpleNamespace

import pytest

from hotplane.errors import ProgramNotAllowed, ProgramNotImportable
from hotplane.programs import Programs, ProgramSettings, add_paths


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Give a folder on `sys.path` whose modules are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if name.split(".")[0].startswith("prog_"):
            del sys.modules[name]


@pytest.fixture
def programs():
    """Give a loader that allows the modules of these tests."""
    made = Programs(ProgramSettings(allow=("prog_*",), import_timeout_seconds=60))
    yield made
    made.close()


def write(folder, name, source):
    """Write a module."""
    (folder / f"{name}.py").write_text(dedent(source))


async def reason(programs, spec):
    """Return why `spec` cannot be loaded."""
    with pytest.raises(ProgramNotImportable) as refused:
        await programs.load(spec)
    assert refused.value.program == spec
    return refused.value.reason


async def test_a_function_of_an_allowed_module_is_loaded(folder, programs):
    """The program knows its spec, its function, and whether it is async."""
    write(folder, "prog_good", "def work(x): return x\nasync def wait(x): return x")
    work = await programs.load("prog_good:work")
    assert (work.spec, work.function("in"), work.is_async) == ("prog_good:work", "in", False)
    assert (await programs.load("prog_good:wait")).is_async


async def test_a_module_that_is_not_allowed_is_not_even_imported(folder, programs):
    """The allow-list is asked before any code runs."""
    write(folder, "forbidden_module", "raise AssertionError('imported')")
    with pytest.raises(ProgramNotAllowed, match=r"prog_\*"):
        await programs.load("forbidden_module:work")
    assert "forbidden_module" not in sys.modules


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "prog_x",
        "prog_x:",
        ":work",
        "prog_x:a.b",
        "prog_x:work()",
        "prog_x.:f",
        ".prog_x:f",
        "prog x:f",
        "prog_x:f\n",
    ],
)
async def test_a_malformed_name_is_refused(programs, spec):
    """Only `package.module:function` is a program's name."""
    assert "malformed" in await reason(programs, spec)


async def test_an_endless_name_is_cut_in_the_message(programs):
    """A name of a megabyte does not become an error of a megabyte."""
    with pytest.raises(ProgramNotImportable) as refused:
        await programs.load("prog_" + "x" * 1_000_000 + ":f")
    assert len(str(refused.value)) < 500


async def test_a_missing_module_is_named(programs):
    """The reason says which module there is not."""
    assert "no module 'prog_missing'" in await reason(programs, "prog_missing:work")


async def test_a_missing_dependency_is_told_from_a_missing_module(folder, programs):
    """When the module is there and imports one that is not, the reason shows the import that failed."""
    write(folder, "prog_needs", "\nimport prog_absent.part")
    assert await reason(programs, "prog_needs:work") == (
        "its import failed: ModuleNotFoundError: No module named 'prog_absent' (prog_needs.py:2)"
    )


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("def broken(:", "SyntaxError"),
        ("raise ValueError('x' * 10_000)", "ValueError: xxx"),
    ],
)
async def test_whatever_an_import_raises_is_a_reason(folder, programs, statement, expected):
    """Even SystemExit in a module ends neither the host nor its thread."""
    write(folder, "prog_raises", statement)
    text = await reason(programs, "prog_raises:work")
    assert text.startswith("its import failed: ")
    assert expected in text
    assert len(text) < 700


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("other = 1", "has no 'work'"),
        ("work = 3", "is a int and cannot be called"),
        ("class work: ...", "is a class"),
        ("def work(): ...", "only argument, and it is work()"),
        ("def work(a, b): ...", "only argument, and it is work(a, b)"),
        ("def work(*, a): ...", "only argument"),
        ("def work(a):\n  yield a", "yields"),
        ("async def work(a):\n  yield a", "yields"),
        ("from os import system as work", "comes from the module 'posix'"),
        (
            "from functools import partial\nfrom os import system\nwork = partial(system)",
            "comes from the module 'posix'",
        ),
        ("def __getattr__(name): raise SystemExit(name)", "SystemExit: work"),
    ],
)
async def test_what_cannot_be_a_program_is_refused_with_the_reason(folder, programs, source, expected):
    """Classes, values, generators, foreign functions and wrong signatures are no programs."""
    write(folder, "prog_unfit", source)
    assert expected in await reason(programs, "prog_unfit:work")


@pytest.mark.parametrize(
    "source",
    [
        "def work(a, b=1): ...",
        "def work(*inputs): ...",
        "work = lambda a: a",
        "from functools import partial\ndef _w(a, b): ...\nwork = partial(_w, 1)",
        "from functools import lru_cache\n@lru_cache\ndef work(a): ...",
        "class _Model:\n  def __call__(self, a): ...\n  def predict(self, a): ...\nwork = _Model().predict",
        "class _Model:\n  async def __call__(self, a): ...\nwork = _Model()",
    ],
)
async def test_whatever_takes_one_argument_is_a_program(folder, programs, source):
    """Defaults, partials, bound methods, decorated functions and callable objects all do."""
    write(folder, "prog_fit", source)
    assert callable((await programs.load("prog_fit:work")).function)


async def test_a_module_written_a_moment_ago_is_found(folder, programs):
    """The import system's memory of a folder does not hide a new file in it."""
    await reason(programs, "prog_fresh:work")
    times = folder.stat()
    write(folder, "prog_fresh", "def work(a): return a")
    # As if both had happened within one tick of the file system's clock.
    os.utime(folder, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert await programs.load("prog_fresh:work")


async def test_an_import_that_hangs_is_given_up(folder, monkeypatch):
    """The limit holds although the module's code does not return, and the thread counts as stuck."""
    release = threading.Event()
    write(folder, "prog_hangs", "import prog_release\nprog_release.event.wait(60)\ndef work(a): ...")
    monkeypatch.setitem(sys.modules, "prog_release", SimpleNamespace(event=release))
    programs = Programs(ProgramSettings(allow=("prog_hangs",), import_timeout_seconds=0.05))
    try:
        assert await reason(programs, "prog_hangs:work") == "importing 'prog_hangs' takes longer than 0.05 s"
        assert programs.stuck_threads == 1
    finally:
        release.set()
        programs.close()


async def test_added_paths_come_last_and_once(tmp_path, monkeypatch):
    """A folder of programs cannot hide an installed module."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = list(sys.path)
    add_paths((tmp_path, tmp_path / "." / "x" / ".."))
    assert sys.path == [*before, str(tmp_path)]
