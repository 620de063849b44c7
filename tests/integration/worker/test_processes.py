"""A pool whose processes do not start, or stop starting."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from hotplane.valkyrie import DeadlineExceeded, ProgramFailed, UnknownTarget
from hotplane.worker import ProcessesDidNotStart, WorkerSettings, process
from hotplane.worker.processes import ProcessPool

SETTINGS = WorkerSettings(programs=("os",), cpu_bound=("os",), processes=2)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the pool's sockets are."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left_in(folder: Path) -> list[Path]:
    """Return what is in a folder."""
    return list(folder.iterdir())


async def test_a_process_that_ends_at_once_is_said_with_its_status(temporary: Path, monkeypatch: pytest.MonkeyPatch):
    """The others are ended, and no socket is left."""
    monkeypatch.setattr(process, "_MAIN", "raise SystemExit(7)")
    pool = ProcessPool(SETTINGS)
    with pytest.raises(ProcessesDidNotStart, match="exit status 7"):
        await pool.start()
    assert (pool.alive, left_in(temporary)) == (0, [])


async def test_a_process_that_never_serves_is_given_up(temporary: Path, monkeypatch: pytest.MonkeyPatch):
    """It is killed when its time is up."""
    monkeypatch.setattr(process, "_MAIN", "import time; time.sleep(60)")
    monkeypatch.setattr(process, "_START_SECONDS", 0.2)
    with pytest.raises(ProcessesDidNotStart, match=r"within 0\.2 s"):
        await ProcessPool(SETTINGS).start()
    assert left_in(temporary) == []


async def test_calls_wait_for_a_replacement_no_longer_than_their_deadline(monkeypatch: pytest.MonkeyPatch):
    """While no process starts they did certainly not run; when one does, calls go on."""
    main = process._MAIN
    pool = ProcessPool(SETTINGS.model_copy(update={"processes": 1}))
    await pool.start()
    try:
        monkeypatch.setattr(process, "_MAIN", "raise SystemExit(7)")
        next(iter(pool._children)).kill()
        with pytest.raises(DeadlineExceeded, match="no process became free") as overran:
            await pool.run("os:getcwd", b"null", 0.3, None)
        monkeypatch.setattr(process, "_MAIN", main)
        # `os.getcwd` takes no input, so a process that answers at all answers that it cannot run.
        with pytest.raises(UnknownTarget, match="cannot be used"):
            await pool.run("os:getcwd", b"null", 30, None)
    finally:
        await pool.close()
    assert overran.value.executed == "no"


async def test_an_idle_pool_has_no_files(temporary: Path):
    """The sockets are gone once they are connected, so that even SIGKILL leaves none behind."""
    pool = ProcessPool(SETTINGS)
    await pool.start()
    left = left_in(temporary)
    alive = pool.alive
    await pool.close()
    assert (left, alive, pool.alive) == ([], 2, 0)


SLOW = """
import time
from pathlib import Path
here = Path(__file__)
while not here.with_name("go").exists():
    time.sleep(0.005)
here.with_name("imported").touch()
def run(_):
    return "ran"
"""


def pool_over(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str, **changed: Any) -> ProcessPool:
    """Return a pool of one process for the module ``slow_cpu``."""
    (folder / "slow_cpu.py").write_text(source, "utf-8")
    monkeypatch.syspath_prepend(str(folder))
    settings = {"programs": ("slow_cpu*",), "cpu_bound": ("slow_cpu*",), "processes": 1, **changed}
    return ProcessPool(WorkerSettings.model_validate(settings))


async def test_an_import_that_outlasts_a_call_serves_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The process is not killed for it: otherwise a slow import would never end. The first call did not run."""
    pool = pool_over(tmp_path, monkeypatch, SLOW)
    await pool.start()
    try:
        with pytest.raises(DeadlineExceeded, match="still being imported") as overran:
            await pool.run("slow_cpu:run", b"null", 0.1, None)
        (tmp_path / "go").touch()
        assert await pool.run("slow_cpu:run", b"null", 30, None) == b'"ran"'
    finally:
        await pool.close()
    assert (overran.value.executed, pool.ends.total()) == ("no", 0)


async def test_a_module_that_is_named_is_imported_before_the_first_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A call with a short deadline finds it ready."""
    (tmp_path / "go").touch()
    pool = pool_over(tmp_path, monkeypatch, SLOW, programs=("slow_cpu",), cpu_bound=("slow_cpu",))
    await pool.start()
    try:
        assert (tmp_path / "imported").exists()
        assert await pool.run("slow_cpu:run", b"null", 30, None) == b'"ran"'
    finally:
        await pool.close()


async def test_a_module_that_is_broken_is_said_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With what its import raised."""
    pool = pool_over(tmp_path, monkeypatch, "1 / 0", programs=("slow_cpu",), cpu_bound=("slow_cpu",))
    with pytest.raises(ProcessesDidNotStart, match="'slow_cpu' cannot be imported: ZeroDivisionError"):
        await pool.start()


async def test_a_module_whose_import_takes_the_process_down_is_a_program_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The pool goes on."""
    pool = pool_over(tmp_path, monkeypatch, "import os\nos._exit(5)\n")
    await pool.start()
    try:
        with pytest.raises(ProgramFailed, match="exit status 5"):
            await pool.run("slow_cpu:run", b"null", 30, None)
    finally:
        await pool.close()
