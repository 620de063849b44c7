"""Every command as a person or a script runs it: the installed command against a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotplane.version import __version__

Run = Callable[..., subprocess.CompletedProcess[str]]


def ids(listed: str) -> list[str]:
    """Return the ids of a JSON list."""
    return [each["id"] for each in json.loads(listed)["items"]]


def test_help_names_every_command(run: Run):
    """`hotplane --help` exits with 0 and shows what there is."""
    shown = run("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    for command in ("serve", "execute", "tasks", "plugins", "executions", "config", "version"):
        assert f"  {command}" in shown.stdout


def test_the_module_is_the_command(tmp_path: Path):
    """`python -m hotplane --version` prints what `hotplane version` prints."""
    command = [sys.executable, "-m", "hotplane", "--version"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert shown.stdout == f"hotplane {__version__}\n"


def test_an_execution_that_succeeds_exits_with_0(server: Any):
    """The record is on stdout as JSON, with its decision and verdicts; nothing is on stderr."""
    done = server.run("execute", "double", "21", "--expected", "42", "--id", "the-answer", "--output", "json")
    record = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (record["id"], record["output"], record["valid"]) == ("the-answer", 42, True)
    assert record["sampling"]["sampled"] is True


def test_an_execution_that_does_not_succeed_exits_with_1(server: Any):
    """A program that raised is a record, and its message is shown."""
    done = server.run("execute", "fail", '"no good"')
    assert done.returncode == 1
    assert "ValueError: no good" in done.stdout
    assert done.stderr == ""


def test_an_input_comes_from_stdin_or_from_a_file(server: Any):
    """`-` reads stdin, and `@FILE` a file."""
    (server.folder / "input.json").write_text('{"from": "file"}', "utf-8")
    piped = server.run("execute", "echo", "-", "-o", "json", input='{"from": "stdin"}')
    read = server.call("execute", "echo", "@input.json", "-o", "json")
    assert json.loads(piped.stdout)["output"] == {"from": "stdin"}
    assert json.loads(read.stdout)["output"] == {"from": "file"}


def test_an_embedded_execution_needs_no_server(project: Path, run: Run):
    """It is stored, so that a second one with its id is a rerun; the current folder's programs are found."""
    done = run("execute", "double", "4", "--embedded", "--config", "hotplane.yaml", "--store", "here.db", "-o", "json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["output"] == 8
    assert (project / "here.db").exists()


def test_a_task_is_made_changed_listed_and_deleted(server: Any):
    """YAML and JSON, a file and stdin are all the same."""
    (server.folder / "task.yaml").write_text("id: new\nprogram: jobs:echo\nsampling_rate: 0.5\n", "utf-8")
    made = server.call("tasks", "create", "task.yaml", "-o", "json")
    changed = server.call("tasks", "update", "new", "-", "-o", "json", input='{"program": "jobs:double"}')
    listed = server.call("tasks", "list", "-o", "json")
    deleted = server.call("tasks", "delete", "new")
    assert json.loads(made.stdout)["sampling_rate"] == 0.5
    assert json.loads(changed.stdout)["program"] == "jobs:double"
    assert "new" in ids(listed.stdout)
    assert (deleted.returncode, deleted.stdout, deleted.stderr) == (0, "", "hotplane: the task 'new' is deleted\n")
    assert "new" not in ids(server.call("tasks", "list", "-o", "json").stdout)


def test_a_task_of_the_file_is_overridden_and_reset(server: Any):
    """`tasks reset` brings the file's version back."""
    server.call("tasks", "update", "slow", "-", input="program: jobs:echo")
    assert "file" in (before := server.call("tasks", "show", "slow")).stdout
    assert "overridden" in before.stdout
    assert json.loads(server.call("tasks", "reset", "slow", "-o", "json").stdout)["program"] == "jobs:slow"


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (("disable",), {"state": "active", "enabled": False}),
        (("enable",), {"state": "active", "enabled": True}),
        (("stop",), {"state": "unloaded"}),
        (("start",), {"state": "active"}),
        (("restart",), {"state": "active"}),
        (("reset",), {"overrides": {}}),
    ],
)
def test_a_plugin_is_operated(server: Any, operation: tuple[str], expected: dict[str, object]):
    """Each operation shows where the plugin stands afterwards."""
    done = server.call("plugins", *operation, "json-schema-validator", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout).items() >= expected.items()


def test_a_plugin_is_moved_and_looked_at(server: Any):
    """The priority may be negative; `info` shows what was changed here."""
    moved = server.call("plugins", "priority", "percentage-sampler", "--", "-7")
    assert "-7" in moved.stdout
    shown = json.loads(server.call("plugins", "info", "percentage-sampler", "-o", "json").stdout)
    assert shown["overrides"] == {"priority": -7}
    assert "sampling_rate" in shown["config_schema"]["properties"]
    assert '{"priority": -7}' in server.call("plugins", "info", "percentage-sampler").stdout


def test_plugins_are_listed_by_state_and_kind(server: Any):
    """Both filters are the server's; a list that holds nothing says so on stderr."""
    unloaded = server.call("plugins", "list", "--state", "unloaded", "-o", "json")
    nothing = server.call("plugins", "list", "--kind", "no-such-kind")
    assert ids(unloaded.stdout) == ["console-webhook-handler"]
    assert (nothing.stdout, nothing.stderr) == ("", "hotplane: there are no such plugins\n")


def test_executions_are_listed_over_several_pages(server: Any):
    """A limit ends the list and says how to go on; a cursor goes on; `--all` lists every one."""
    for number in range(5):
        server.call("execute", "slow", str(number), "--id", f"page-{number}")
    listed = ("executions", "list", "--task", "slow", "-o", "json")
    first = server.call(*listed, "--limit", "2")
    assert ids(first.stdout) == ["page-4", "page-3"]
    cursor = first.stderr.split("--cursor ")[1].split()[0]
    assert ids(server.call(*listed, "--cursor", cursor).stdout) == ["page-2", "page-1", "page-0"]
    assert len(ids(server.call(*listed, "--all").stdout)) == 5


def test_executions_are_filtered(server: Any):
    """Status, verdict, sampling, id and time narrow the list; each line of NDJSON is a record."""
    server.call("execute", "double", "1", "--expected", "3", "--id", "wrong")
    found = server.call("executions", "list", "--valid", "false", "--sampled", "--status", "success", "-o", "ndjson")
    assert [json.loads(line)["id"] for line in found.stdout.splitlines()] == ["wrong"]
    assert ids(server.call("executions", "list", "--id", "wrong", "--from", "2020-01-01", "-o", "json").stdout)
    assert ids(server.call("executions", "list", "--to", "2020-01-01", "-o", "json").stdout) == []


def test_an_execution_is_shown_with_every_verdict(server: Any):
    """People see who sampled it and what each validator said."""
    server.call("execute", "double", "2", "--expected", "5", "--id", "shown")
    shown = server.run("executions", "show", "shown")
    assert "json-schema-validator: invalid" in shown.stdout
    assert "by percentage-sampler" in shown.stdout


def test_a_table_has_no_colours_and_is_not_cut_in_a_pipe(server: Any):
    """A script gets plain text and whole ids."""
    listed = server.run("plugins", "list").stdout
    assert "\x1b" not in listed
    assert "console-webhook-handler" in listed
    assert "…" not in listed


def test_a_reader_that_goes_away_ends_a_list_quietly(server: Any):
    """`hotplane executions list | head -1` prints one line, and nothing on stderr."""
    command = f"{Path(sys.executable).with_name('hotplane')} executions list --all -o ndjson | true"
    done = subprocess.run(
        ["/bin/sh", "-c", command], env={"HOTPLANE_SERVER": server.url}, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


def test_a_token_comes_from_the_environment(project: Path, serve: Callable[..., Any]):
    """Without it the server refuses, and the message names the variable; with it the command works."""
    guarded = serve(HOTPLANE_SERVER__TOKENS="[sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b]")
    refused = guarded.call("tasks", "list")
    assert refused.returncode == 2
    assert "HOTPLANE_TOKEN" in refused.stderr
    assert guarded.run("tasks", "list", HOTPLANE_TOKEN="secret").returncode == 0


def test_logs_go_to_stderr_as_json_where_asked(serve: Callable[..., Any]):
    """Every line is an object, and stdout has the address only."""
    server = serve("--log-format", "json", "--log-level", "info")
    server.process.terminate()
    rest, _ = server.process.communicate(timeout=60)
    events = [json.loads(line)["event"] for line in server.log.splitlines()]
    assert rest == ""
    assert "host.started" in events
    assert server.process.returncode == 0


def test_a_good_configuration_is_summed_up(project: Path, call: Run):
    """`config check` exits with 0."""
    assert call("config", "check").stdout.startswith("hotplane.yaml: no problems. 7 tasks, 3 plugins (2 enabled)")


def test_the_schema_of_configurations_is_json_schema(call: Run):
    """Editors can use it."""
    assert "tasks" in json.loads(call("config", "schema").stdout)["properties"]
