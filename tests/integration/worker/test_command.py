"""`hotplane worker` with input that it cannot use: one message, exit code 2, nothing started."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from tests.integration.worker.conftest import COMMAND, environment, write_programs

BAD = {
    "an endpoint": (("--listen", "udp://127.0.0.1:0"), "the scheme 'udp' is unknown"),
    "a pattern that is none": (("--programs", "light:echo"), "--programs: write a module such as"),
    "a module that is not there": (("--programs", "ghost"), "there is no module 'ghost'"),
    "a limit": (("--max-concurrency", "0"), "--max-concurrency: input should be greater"),
    "a key without certificate": (("--tls-key", "ghost"), "need --tls-cert"),
}


def run(folder: Path, *arguments: str, **added: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    write_programs(folder)
    options = {"--listen": "tcp://127.0.0.1:0", "--programs": "light"}
    given = [part for name, value in options.items() if name not in arguments for part in (name, value)]
    return subprocess.run(
        [COMMAND, "worker", *given, *arguments],
        cwd=folder, env=environment(**added), capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip


def assert_refused(ended: subprocess.CompletedProcess[str], words: str) -> None:
    """Check that there was one message, for a person, and nothing else."""
    assert ended.returncode == 2
    assert words in ended.stderr
    assert ended.stderr.startswith("hotplane: ")
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize(("arguments", "words"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_refused_in_a_sentence(tmp_path: Path, arguments: tuple[str, ...], words: str):
    """The message names what is wrong and how to mend it."""
    assert_refused(run(tmp_path, *arguments), words)


def test_an_address_in_use_is_refused(tmp_path: Path):
    """The processes that had been started already are ended."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        http = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run(tmp_path, "--http", http, "--cpu-bound", "light", "--processes", "1")
    assert_refused(ended, "in use")


def test_a_token_that_is_none_is_not_repeated(tmp_path: Path):
    """The message names the variable, not its value."""
    ended = run(tmp_path, "--http", "127.0.0.1:0", HOTPLANE_WORKER_TOKEN="not a token")
    assert_refused(ended, "HOTPLANE_WORKER_TOKEN")
    assert "not a token" not in ended.stderr
