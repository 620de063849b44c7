"""What a person gets wrong: exit code 2 and one clear message, never a traceback."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

THREE_ERRORS = "server:\n  prot: 3000\ntasks:\n  a:\n    program: nothing\nplugins:\n  validaters: []\n"


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Make sure that a command ended with 2 and one message that has these words."""
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert done.stdout == ""
    assert len(re.findall(r"^hotplane: ", done.stderr, re.MULTILINE)) == 1
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize("action", ["pause", "resume"])
@pytest.mark.parametrize(
    "options",
    [
        ("--embedded",),
        ("--embedded", "--store", "other.db"),
        ("--config", "other.yaml"),
        ("--embedded", "-c", "x.yaml"),
    ],
)
def test_only_a_server_can_pause(call: Run, action: str, options: tuple[str, ...]):
    """The message says so, with what can be done without one, and touches no store."""
    done = call("batch", action, "some-batch", *options)
    assert_refused(done, f"`hotplane batch {action}` works on a server only", "batch cancel --embedded")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("execute", "dubble", "1"), ("There is no task 'dubble'", "did you mean 'double'")),
        (("execute", "double", '"x"'), ("Input rejected", "/input", "integer")),
        (("execute", "double", "{text: 1}"), ("The input is not JSON", "Quote it for the shell")),
        (("execute", "double", "NaN"), ("The input is not JSON",)),
        (("execute", "double", "[" * 2000), ("The input is not JSON",)),
        (("execute", "double", "1", "--expected", "{"), ("What is expected is not JSON",)),
        (("execute", "double", "@missing.json"), ("missing.json cannot be read: No such file or directory",)),
        (("execute", "double", "1", "--id", "no spaces"), ("'no spaces' cannot be",)),
        (("execute", "double", "1", "--config", "x.yaml"), ("--embedded",)),
        (("execute", "-", "-", "--expected", "-"), ("Only one",)),
        (("tasks", "show", "nothing"), ("There is no task 'nothing'",)),
        (("tasks", "delete", "echo"), ("declared in the configuration file", "hotplane.yaml")),
        (("tasks", "create", "missing.yaml"), ("missing.yaml cannot be read",)),
        (("plugins", "enable", "percentage-samplr"), ("did you mean 'percentage-sampler'",)),
        (("plugins", "list", "--state", "asleep"), ("/state",)),
        (("executions", "show", "nothing"), ("There is no execution 'nothing'",)),
        (("executions", "list", "--from", "yesterday"), ("--from takes an instant",)),
        (("executions", "list", "--cursor", "made-up"), ("made-up",)),
    ],
)
def test_bad_input_for_a_server_is_one_message(server: Any, arguments: tuple[str, ...], words: tuple[str, ...]):
    """The offender is named, with advice where there is some."""
    assert_refused(server.call(*arguments), *words)


def test_a_task_file_is_refused_with_its_lines(server: Any):
    """What the server says of a pointer is shown at the file's line."""
    (server.folder / "task.yaml").write_text("id: x\nprogram: jobs:echo\ntimout_ms: 5\n", "utf-8")
    assert_refused(server.run("tasks", "create", "task.yaml"), "task.yaml:3: ", "did you mean 'timeout_ms'")


@pytest.mark.parametrize("text", ["a: [", "- one\n- two\n", "a: 1\na: 2\n", "\x00"])
def test_a_task_that_is_no_mapping_is_refused(server: Any, text: str):
    """Broken YAML, a list, and a repeated key never reach the server."""
    assert_refused(server.call("tasks", "create", "-", input=text), "stdin")


def test_no_server_is_one_message_with_the_command(run: Run):
    """It names the address and `hotplane serve`."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert_refused(run("tasks", "list", "--server", address), address, "`hotplane serve`", "Connection refused")


def test_another_server_is_recognised(run: Run):
    """What is not Hotplane is said to be something else."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"http://127.0.0.1:{other.getsockname()[1]}"
        answering = threading.Thread(target=answer_with_a_page, args=(other,))
        answering.start()
        assert_refused(run("tasks", "list", "--server", address), "is not a Hotplane server", "text/html")
        answering.join()


def test_a_lost_connection_is_no_missing_server(call: Run):
    """What was asked for may have been done; that is the server's failure, 1, and says so."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"http://127.0.0.1:{other.getsockname()[1]}"
        hanging_up = threading.Thread(target=hang_up, args=(other,))
        hanging_up.start()
        done = call("execute", "x", "1", "--server", address)
        hanging_up.join()
    assert done.returncode == 1
    assert "may have been done" in done.stderr


def hang_up(listener: socket.socket) -> None:
    """Accept one connection and close it."""
    connection, _ = listener.accept()
    connection.close()


def answer_with_a_page(listener: socket.socket) -> None:
    """Answer one request as some web site would."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<ok>")


@pytest.mark.parametrize(
    "address", ["127.0.0.1:3000", "ftp://x", "http://", "http://user:secret@x:1", "http://x:99999"]
)
def test_an_address_that_is_none_is_refused(server: Any, address: str):
    """Also one that holds a password, which is not shown again."""
    refused = server.call("tasks", "list", "--server", address)
    assert_refused(refused)
    assert "secret" not in refused.stderr


def test_every_error_of_a_configuration_is_reported_with_line_and_suggestion(tmp_path: Path, run: Run, call: Run):
    """`serve` says it on stderr; `config check` prints it as its result, one problem a line."""
    (tmp_path / "bad.yaml").write_text(THREE_ERRORS, "utf-8")
    served = run("serve", "--config", "bad.yaml")
    checked = call("config", "check", "bad.yaml")
    assert_refused(served, "3 problems", "bad.yaml:2: ", "did you mean 'port'", "bad.yaml:5: ", "bad.yaml:7: ")
    assert (checked.returncode, checked.stderr) == (2, "")
    assert [line.split(": ")[0] for line in checked.stdout.splitlines()] == ["bad.yaml:2", "bad.yaml:5", "bad.yaml:7"]
    problems = json.loads(call("config", "check", "bad.yaml", "-o", "json").stdout)["problems"]
    assert [each["line"] for each in problems] == [2, 5, 7]


MISFITS = """\
plugins:
  webhook_handlers:
    - name: hook
      type: http-webhook-handler
      configuration:
        url: "http://me:hidden@example.com"
        secrets: ["whsec_c2hvcnQ="]
  samplers:
    - name: percentage-sampler
      configuration: {rate: 0.1}
"""


def test_what_does_not_fit_a_builtin_plugin_is_reported_with_its_line(tmp_path: Path, call: Run):
    """`config check` reads the configuration of what ships with Hotplane, by type and by name, without secrets."""
    (tmp_path / "bad.yaml").write_text(MISFITS, "utf-8")
    checked = call("config", "check", "bad.yaml")
    assert checked.returncode == 2
    assert sorted(line.split(": ")[0] for line in checked.stdout.splitlines()) == [
        "bad.yaml:10",
        "bad.yaml:6",
        "bad.yaml:7",
    ]
    assert "there is no key `rate`" in checked.stdout
    assert "hidden" not in checked.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--port", "0", "--store", "missing/x.db"), ("missing", "does not exist")),
        (("--port", "0", "--store", "."), ("directory",)),
        (("--port", "0", "--store", "corrupt.db"), ("corrupt.db", "not a database")),
        (("--port", "0", "--store", "file/x.db"), ("file",)),
    ],
)
def test_a_store_that_cannot_be_used_is_one_message(
    tmp_path: Path, run: Run, options: tuple[str, ...], words: tuple[str, ...]
):
    """The server ends before it listens, and what it was given is as it was."""
    (tmp_path / "corrupt.db").write_bytes(b"this is not a database, whatever its name says" * 100)
    (tmp_path / "file").write_text("no directory", "utf-8")
    assert_refused(run("serve", *options), *words)
    assert (tmp_path / "corrupt.db").read_bytes().startswith(b"this is not")


@pytest.mark.parametrize(
    ("options", "added", "words"),
    [
        (("--config", "missing.yaml"), {}, ("missing.yaml: there is no such file",)),
        (("--port", "70000"), {}, ("command line: ", "65535")),
        ((), {"HOTPLANE_SERVER__PORT": "many"}, ("environment: ", "'many'")),
        (("--host", "0.0.0.0"), {}, ("no token",)),
    ],
)
def test_every_layer_of_the_configuration_is_checked(
    call: Run, options: tuple[str, ...], added: dict[str, str], words: tuple[str, ...]
):
    """The message says which one is wrong: a file, the environment, or the command line."""
    assert_refused(call("serve", *options, **added), *words)


def test_a_port_in_use_is_one_message(run: Run):
    """The other program is not disturbed."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert_refused(run("serve", "--port", port, "--log-level", "error"), f"Port {port} of 127.0.0.1 is in use")


def test_a_program_that_cannot_be_imported_is_reported_with_its_line(tmp_path: Path, run: Run):
    """It is found when the host starts, and said like any other error of the file."""
    (tmp_path / "hotplane.yaml").write_text(
        "programs: {allow: [nowhere]}\ntasks:\n  a: {program: 'nowhere:f'}\n", "utf-8"
    )
    assert_refused(run("serve", "--port", "0", "--log-level", "error"), "hotplane.yaml:3: ", "no module 'nowhere'")


def test_ctrl_c_ends_a_command_with_130(project: Path, serve: Callable[..., Any]):
    """A command that waits for an answer leaves at once, without a traceback."""
    server = serve("--log-level", "error")
    command = [sys.executable, "-m", "hotplane", "execute", "hang", "1", "--server", server.url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=project, stdout=pipe, stderr=pipe, text=True) as waiting:
        wait_until_executing(server.url)
        waiting.send_signal(signal.SIGINT)
        output, errors = waiting.communicate(timeout=60)
    assert (waiting.returncode, output) == (130, "")
    assert "Traceback" not in errors


def wait_until_executing(url: str) -> None:
    """Wait, at most 60 s, until the server has an execution in flight."""
    gives_up_at = time.monotonic() + 60
    while httpx2.get(f"{url}/api/plugins/system/stats", trust_env=False, timeout=60).json()["in_flight"] == 0:
        assert time.monotonic() < gives_up_at
        time.sleep(0.02)
