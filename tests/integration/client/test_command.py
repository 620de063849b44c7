"""`hotplane batch` against a server and in this process."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hotplane.app import Hotplane
from hotplane.cli import main
from hotplane.cli.batch_hosts import here as in_this_process
from hotplane.config import load_config
from hotplane.execution.batch import BatchOptions, NewItem
from tests.pace import in_time

CONFIGURATION = """
programs: {allow: [batch_jobs]}
tasks:
  double: {program: "batch_jobs:double"}
"""
JOBS = """
import pathlib

def double(value):
    pathlib.Path("ran").touch()
    return value * 2
"""

INTERRUPTIBLE = """
import signal, sys
from hotplane.cli import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, a program and items, one of which fails and one of which is none."""
    (tmp_path / "hotplane.yaml").write_text(CONFIGURATION)
    (tmp_path / "batch_jobs.py").write_text(JOBS)
    lines = [{"input": 1, "expected": 2}, {"input": 2, "expected": 5}, {"input": None}]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines) + "nonsense\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def run(*arguments: str) -> int:
    """Run a command of the group."""
    return main(["batch", *arguments])


def holder(here: Path) -> list[Any]:
    """Return who holds the batches of the folder's store, and how they stand."""
    with closing(sqlite3.connect(here / "hotplane.db")) as store:
        return store.execute("SELECT id, state, holder FROM hotplane_batches").fetchall()


def test_a_file_runs_in_this_process(here: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """The report has counts, failures and both accuracies; every result is in the file; the exit code is 1."""
    code = run("run", "items.jsonl", "-t", "double", "--embedded", "-o", "json", "--results", "out.ndjson")
    report = json.loads(capsysbinary.readouterr().out)
    counts = report["batch"]["counts"]
    assert (code, counts["succeeded"], counts["failed"], counts["rejected"]) == (1, 2, 1, 1)
    assert (report["accuracy"]["true"], report["accuracy"]["expected"]) == (0.5, 2)
    assert sorted(each["position"] for each in report["failed"]) == [3, 4]
    results = [json.loads(line) for line in (here / "out.ndjson").read_text().splitlines()]
    assert sorted(each["position"] for each in results) == [1, 2, 3, 4]


async def test_a_run_that_is_given_up_at_once_ends_quietly(here: Path) -> None:
    """Nothing had been read: there is no batch, and no task whose failure nobody took."""
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    gate = threading.Event()

    def lines() -> Iterator[bytes]:
        gate.wait(10)
        yield b"1\n"

    async with in_this_process(None, None) as place:
        await place.begin("double", {}, lines())
        await asyncio.sleep(0.05)
        asyncio.get_running_loop().call_later(0.1, gate.set)
    del place
    gc.collect()
    assert told == []


@pytest.fixture
async def left(here: Path) -> str:
    """A batch of three items that a host was paused in, and left; nothing of it ran."""
    async with Hotplane(load_config(here / "hotplane.yaml")) as host:
        made = await host.batches.create(BatchOptions(task_id="double"))
        await host.batches.pause(made.id)
        await host.batches.add(made.id, [NewItem(position=n, item_id=str(n), input=n) for n in (1, 2, 3)])
        await host.batches.seal(made.id)
    return made.id


@pytest.mark.parametrize("command", ["list", "show", "results"])
def test_looking_into_a_store_runs_nothing(
    here: Path, left: str, capsysbinary: pytest.CaptureFixture[bytes], command: str
) -> None:
    """Without a server a batch is listed and shown as it was left, and nobody takes it over."""
    before = holder(here)
    assert run(command, *([] if command == "list" else [left]), "--embedded", "-o", "json") == 0
    shown = json.loads(capsysbinary.readouterr().out)
    if command != "results":
        (found,) = shown["items"] if command == "list" else [shown]
        assert (found["id"], found["state"], found["items"], found["done"]) == (left, "paused", 3, 0)
    assert holder(here) == before
    assert not (here / "ran").exists()


def test_the_results_in_a_store_are_printed(here: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """They are those of a server: one JSON object a line, behind a cursor; another sequence is refused."""
    run("run", "items.jsonl", "-t", "double", "--embedded", "-o", "json", "--store", "other.db")
    batch = json.loads(capsysbinary.readouterr().out)["batch"]["id"]
    own = ("--embedded", "--store", "other.db")
    assert run("results", batch, *own) == 0
    first, *others = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert run("results", batch, "--after", str(first["sequence"]), *own) == 0
    assert [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()] == others
    assert run("results", batch, "--after", "999", *own) == 2


def test_a_batch_is_cancelled_without_a_server(
    left: str, here: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A host of this process takes it over and ends it; then it can be deleted, and not before."""
    assert run("delete", left, "--embedded") == 2
    assert run("cancel", left, "--embedded", "-o", "json") == 0
    found = json.loads(capsysbinary.readouterr().out)
    assert (found["state"], found["counts"]["cancelled"]) == ("cancelled", 3)
    assert not (here / "ran").exists()
    assert run("delete", left, "--embedded") == 0
    assert run("show", left, "--embedded") == 2


async def test_a_batch_of_another_process_is_not_cancelled(here: Path) -> None:
    """Who runs it is told; it stays as it was."""
    async with Hotplane(load_config(here / "hotplane.yaml")) as host:
        made = await host.batches.create(BatchOptions(task_id="double"))
        command = [sys.executable, "-m", "hotplane", "batch", "cancel", made.id, "--embedded"]
        ended = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
        assert ended.returncode == 2
        assert "runs on another host" in ended.stderr
        assert (await host.batches.get(made.id)).state == "receiving"


def test_looking_makes_no_store(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong path is told; no empty store is left there."""
    assert run("list", "--embedded", "--store", "nowhere.db") != 0
    assert "nowhere.db cannot be used" in capsys.readouterr().err.replace("'", "")
    assert not (here / "nowhere.db").exists()


def test_a_server_has_its_own_store(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--store` without `--embedded` is refused before anybody is asked."""
    assert run("show", "b1", "--store", "hotplane.db") == 2
    assert "are for --embedded" in capsys.readouterr().err


def test_people_get_a_table_with_the_failed_items(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The failed items stand below the numbers, with line and reason."""
    run("run", "items.jsonl", "--task", "double", "--embedded")
    shown = capsys.readouterr().out
    assert "accuracy, true" in shown
    assert "50 %, 1 of 2 as expected" in shown
    assert "malformed-item" in shown


@pytest.mark.parametrize("place", ["embedded", "server"])
def test_ctrl_c_ends_a_run_whose_stdin_stays_open(here: Path, fake: Any, place: str) -> None:
    """Nobody waits for the read of a pipe: the process ends within 3 s, with 130."""
    assert any(in_time(interrupted(here, fake, place), 3) for _ in range(3)), "of three not one ended in time"


def interrupted(here: Path, fake: Any, place: str) -> float:
    """Return how many seconds a run takes to end after Ctrl-C."""
    (here / "ran").unlink(missing_ok=True)
    fake.host.forget()
    options = ["--embedded"] if place == "embedded" else ["--server", fake.url]
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "batch", "run", "-", "-t", "double", *options],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            process.stdin.write(b'{"input": 1}\n' * 600)
            process.stdin.flush()
            wait_until(lambda: (here / "ran").exists() if place == "embedded" else bool(fake.host.seen))
            process.send_signal(signal.SIGINT)
            began = time.monotonic()
            assert process.wait(30) == 130
            took = time.monotonic() - began
        finally:
            process.kill()
        assert b"Fatal" not in process.stderr.read()
    return took


def test_ctrl_c_before_the_first_item_leaves_nothing_to_speak_of(here: Path) -> None:
    """The batch is forgotten, so that nobody is told that it goes on."""
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "batch", "run", "-", "-t", "double", "--embedded"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        try:
            wait_until(lambda: begun(here))
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            process.kill()
        assert b"goes on" not in process.stderr.read()
    assert holder(here) == []


async def test_an_interrupt_while_a_batch_is_made_leaves_none(here: Path) -> None:
    """It is stored although nobody waits for it any more, and then forgotten."""
    async with in_this_process(None, None) as host:
        for turns in range(1, 20):
            beginning = asyncio.create_task(host.begin("double", {}, iter(())))
            for _ in range(turns):
                await asyncio.sleep(0)
            beginning.cancel()
            await asyncio.wait({beginning})
            if not beginning.cancelled():  # the machine stood still, and it was made meanwhile
                break
    assert holder(here) == []


def begun(here: Path) -> bool:
    """Tell whether there is a batch."""
    try:
        return (here / "hotplane.db").exists() and bool(holder(here))
    except sqlite3.OperationalError:  # the store is still being made
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that another process does."""
    ends_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.02)


def test_all_succeeded_is_zero(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 0 when every item succeeded."""
    (here / "inputs").write_text("1\n2\n")
    assert run("run", "inputs", "--task", "double", "--embedded", "--input-only") == 0
    assert "2 of 2 done" in capsys.readouterr().out


def test_a_file_runs_on_a_server(here: Path, fake: Any, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """The items go up, the results and the estimate come back."""
    (here / "words").write_text('{"text": "a", "label": "A"}\n{"text": "b", "label": "x"}\n')
    options = ("--server", fake.url, "--max-concurrency", "2", "-o", "json")
    assert run("run", "words", "-t", "shout", "--input-field", "text", "--expected-field", "label", *options) == 0
    report = json.loads(capsysbinary.readouterr().out)
    assert report["accuracy"]["estimated"] == {"value": 0.9, "low": 0.8, "high": 0.95}
    assert fake.host.seen[0].body.splitlines()[0] == b'{"input":{"text":"a"},"expected":"A"}'
    assert fake.host.seen[0].query["max_concurrency"] == "2"


def test_results_are_printed_as_they_come(fake: Any, capsysbinary: pytest.CaptureFixture[bytes], here: Path) -> None:
    """`batch results` gives one JSON object a line, behind a cursor."""
    (here / "words").write_text('{"input": "a"}\n{"input": "b"}\n')
    run("run", "words", "-t", "shout", "--server", fake.url)
    capsysbinary.readouterr()
    assert run("results", "b1", "--after", "1", "--server", fake.url) == 0
    lines = capsysbinary.readouterr().out.splitlines()
    assert [json.loads(line)["output"] for line in lines] == ["B"]


@pytest.mark.parametrize(("command", "state"), [("show", "completed"), ("cancel", "cancelled"), ("pause", "paused")])
def test_batches_are_looked_after(
    fake: Any, here: Path, capsys: pytest.CaptureFixture[str], command: str, state: str
) -> None:
    """A batch is shown and steered by its id."""
    (here / "words").write_text('{"input": "a"}\n')
    run("run", "words", "-t", "shout", "--server", fake.url)
    capsys.readouterr()
    assert run(command, "b1", "--server", fake.url) == 0
    assert state in capsys.readouterr().out


def test_batches_are_listed(fake: Any, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The list has one line a batch."""
    (here / "words").write_text('{"input": "a"}\n')
    run("run", "words", "-t", "shout", "--server", fake.url)
    capsys.readouterr()
    assert run("list", "--server", fake.url) == 0
    assert "b1" in capsys.readouterr().out


def test_a_refusal_is_bad_input(fake: Any, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown task is the server's sentence and exit code 2."""
    fake.host.refuse(404, "unknown-task")
    assert run("run", "items.jsonl", "-t", "nothing", "--server", fake.url) == 2
    assert "unknown-task: No." in capsys.readouterr().err


def test_a_missing_file_is_bad_input(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file's name and the reason, before anything is sent."""
    assert run("run", "nowhere.jsonl", "-t", "double", "--embedded") == 2
    assert "nowhere.jsonl cannot be read: No such file" in capsys.readouterr().err
