"""The command itself: how it ends, what it loads, and what its reference page says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hotplane.cli import main
from hotplane.cli.failure import BAD_INPUT, FAILED, BadInput, ServerRefused, report
from hotplane.cli.reference import render
from hotplane.errors import (
    ConfigurationError,
    HotplaneError,
    InputRejected,
    MissingExtra,
    PortInUse,
    Problem,
    ShuttingDown,
    StorageFull,
    UnknownTask,
)

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"
HEAVY = {"sqlalchemy", "fastapi", "structlog", "rich", "httpx2", "uvicorn", "alembic", "yaml", "asyncio", "ssl"}


def loaded_by(*arguments: str) -> set[str]:
    """Return the packages that a command has loaded when it ends."""
    program = (
        f"import sys; from hotplane.cli import main; code = main({arguments}); print(*sys.modules); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_loads_nothing_heavy(argument: str):
    """A person who asks for help does not wait for a database driver to load."""
    assert loaded_by(argument) & {*HEAVY, "pydantic"} == set()


@pytest.mark.parametrize("command", ["serve", "execute", "config"])
def test_the_help_of_a_command_loads_only_what_typer_needs(command: str):
    """Typer itself reads options with pydantic; the host's rooms stay out."""
    loaded = loaded_by(command, "--help")
    assert "typer" in loaded
    assert loaded & HEAVY == set()


def test_the_committed_page_is_the_rendered_one():
    """`python -m hotplane.cli.reference > docs/reference/cli.md` mends this."""
    assert PAGE.read_text("utf-8") == render()


def test_every_command_is_explained():
    """A command and an option without help would be an empty cell."""
    page = render()
    assert page.count("## `hotplane ") >= 22
    assert "|  |" not in page


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnknownTask("x"), BAD_INPUT),
        (InputRejected("x", []), BAD_INPUT),
        (MissingExtra("The server", "server"), BAD_INPUT),
        (PortInUse("127.0.0.1", 3000), BAD_INPUT),
        (BadInput("no"), BAD_INPUT),
        (ServerRefused("No", "no", status=409, kind="conflict"), BAD_INPUT),
        (ServerRefused("Oh", "oh", status=503, kind="overloaded"), FAILED),
        (StorageFull("x"), FAILED),
        (ShuttingDown(), FAILED),
    ],
)
def test_the_exit_code_says_who_can_mend_it(error: HotplaneError, code: int, capsys: pytest.CaptureFixture[str]):
    """2 where the caller can, 1 where the server has to."""
    assert report(error) == code
    assert capsys.readouterr().err.startswith("hotplane: ")


def test_each_problem_has_its_line_and_is_told_once(capsys: pytest.CaptureFixture[str]):
    """A configuration's message lists its problems already."""
    problem = Problem("wrong", "/a", "x.yaml", 3)
    report(ConfigurationError([problem]))
    report(BadInput("It cannot be used.", [problem]))
    report(InputRejected("t", [Problem("too long", "/text")], "the-id"))
    report(ServerRefused("No", f"It has 1 problem:\n  {problem}", status=422, kind="x", problems=[problem]))
    errors = capsys.readouterr().err
    assert errors.count("  x.yaml:3: wrong (at /a)\n") == 3
    assert "The execution is the-id.\n  too long (at /text)\n" in errors


def test_a_message_cannot_act_on_the_terminal(capsys: pytest.CaptureFixture[str]):
    """A server that is not ours may send anything."""
    report(ServerRefused("\x1b[2J", "gone", status=400, kind="x"))
    assert capsys.readouterr().err == "hotplane: \\x1b[2J: gone\n"


def test_an_option_that_does_not_exist_is_a_usage_error(capsys: pytest.CaptureFixture[str]):
    """Typer's own message, and 2."""
    assert main(["serve", "--prot", "1"]) == BAD_INPUT
    assert "--prot" in capsys.readouterr().err


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Without httpx2 the core works, and a command that needs it says so."""
    monkeypatch.setitem(sys.modules, "httpx2", None)
    assert main(["tasks", "list"]) == BAD_INPUT
    assert "pip install 'hotplane[client]'" in capsys.readouterr().err


def test_output_that_cannot_be_written_is_one_message():
    """A full disk is said, and not swallowed."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "hotplane", "version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == FAILED
    assert done.stderr == "hotplane: The output cannot be written: No space left on device.\n"


def test_closed_streams_do_not_matter():
    """A service manager may start a command without any."""
    command = f"'{sys.executable}' -m hotplane version >&- 2>&-"
    assert subprocess.run(["/bin/sh", "-c", command], check=False).returncode == 0
