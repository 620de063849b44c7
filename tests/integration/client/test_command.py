"""`hotplane batch` against a server and in this process."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotplane.cli import main
from hotplane.cli.batch_hosts import here as in_this_process

CONFIGURATION = """
programs: {allow: [batch_jobs]}
tasks:
  double: {program: "batch_jobs:double"}
"""
JOBS = """
def double(value):
    return value * 2
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


def test_people_get_a_table_with_the_failed_items(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The failed items stand below the numbers, with line and reason."""
    run("run", "items.jsonl", "--task", "double", "--embedded")
    shown = capsys.readouterr().out
    assert "accuracy, true" in shown
    assert "50 %, 1 of 2 as expected" in shown
    assert "malformed-item" in shown


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
