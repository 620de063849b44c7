"""The demo as a newcomer runs it: a real process with a real server, over a file of messages."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.timeout(200)
ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples" / "spam" / "messages.jsonl"


def start(input: Path, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the demo on a file, with a temporary folder of its own."""
    environment = {**os.environ, "INPUT": str(input), "TMPDIR": str(folder), "COLUMNS": "200"}
    command = [sys.executable, "-m", "examples.demo", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)


def finish(demo: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for its end and return exit code, stdout and stderr."""
    try:
        output, errors = demo.communicate(timeout=150)
    finally:
        end(demo)
    return demo.returncode, output, errors


def end(demo: subprocess.Popen[str]) -> None:
    """End a demo that still runs, with SIGTERM first, so that it ends its children."""
    if demo.poll() is None:
        demo.terminate()
        try:
            demo.wait(20)
        except subprocess.TimeoutExpired:
            demo.kill()


def write(folder: Path, lines: list[str]) -> Path:
    """Write an input file."""
    path = folder / "in.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def addresses(output: str) -> list[tuple[str, int]]:
    """Return where the workers listened, if there were any, and last where the server did."""
    found = [urlsplit(each) for each in re.findall(r"(?:http|tcp)://[\d.]+:\d+", output)]
    return [(each.hostname or "", each.port or 0) for each in found]


def is_listening(place: tuple[str, int]) -> bool:
    """Tell whether somebody accepts connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(place) == 0


def children_of(pid: int) -> dict[str, list[int]]:
    """Return the processes that the demo started, by their command: ``serve`` or ``worker``."""
    found: dict[str, list[int]] = {"serve": [], "worker": []}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(OSError, ValueError):  # one that was just killed is gone, or has no words any more
            words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
            found[words[words.index("hotplane") + 1]].append(int(child))
    return found


def all_children_of(pid: int) -> dict[str, list[int]]:
    """Return the server and both workers; a worker that was killed before this could look is soon started again."""
    found = children_of(pid)
    until = time.monotonic() + 60
    while (len(found["serve"]), len(found["worker"])) != (1, 2):
        assert time.monotonic() < until, found
        time.sleep(0.1)
        found = children_of(pid)
    return found


def counts(output: str, stage: str) -> list[int]:
    """Return what the summary counts in a stage: answers of valkyrie, http and local, and failed executions."""
    [line] = (line for line in output.splitlines() if line.startswith(f"│{stage}"))
    return [int(cell) for cell in line.strip("│").split("│")[1:]]


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The output of a whole demo, with workers and without disturbance.

    Where a worker stands still for a second before anything is killed, its work rightly moves; it is played again then.
    """
    output = ""
    for _ in range(3):
        code, output, errors = finish(start(SAMPLE, tmp_path_factory.mktemp("complete")))
        assert (code, errors) == (0, "")
        assert "366 success" in output
        if counts(output, "both workers run")[1:3] == [0, 0]:
            break
    return output


@pytest.fixture
def long_run(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A demo on so many messages that it can be disturbed."""
    demo = start(write(tmp_path, SAMPLE.read_text(encoding="utf-8").splitlines() * 8), tmp_path)
    with demo:
        try:
            yield demo
        finally:
            end(demo)


def wait_for(words: str, demo: subprocess.Popen[str]) -> str:
    """Read the demo's output until a line with these words, and return it."""
    assert demo.stdout
    read: list[str] = []
    for line in demo.stdout:
        read.append(line)
        if words in line:
            return "".join(read)
    raise AssertionError("".join(read) + (demo.stderr.read() if demo.stderr else ""))


def test_sixty_messages_end_in_a_summary(tmp_path: Path):
    """It exits with 0, every figure is there, the records tell of the change, and the server is gone."""
    path = write(tmp_path, SAMPLE.read_text(encoding="utf-8").splitlines()[:60])
    code, output, errors = finish(start(path, tmp_path, "--no-faults"))
    assert (code, errors) == (0, "")
    assert "60 success" in output
    assert "60/60 executed by local 60" in output
    for row in ("latency, server", "latency, client", "sampled", "valid", "invalid", "p50", "p90", "p99"):
        assert row in output
    assert re.search(r"accuracy, estimated .*95 % interval|unknown: the percentage sampler", output)
    assert re.search(r"accuracy, true .*of 60 labelled", output)
    assert "time-based-sampler is disabled; link-and-prize moves" in output
    assert re.search(r"→ 0 of \d+ executions", output)
    assert not is_listening(addresses(output)[0])


def test_workers_die_and_come_back_and_no_execution_fails(complete: str):
    """Work goes from Valkyrie to HTTP to the server itself and back to Valkyrie, and the summary shows it."""
    assert "366 success" in complete
    up, a_killed, b_killed, restarted = (
        counts(complete, stage)
        for stage in ("both workers run", "worker A was killed", "worker B was killed, too", "both were started again")
    )
    assert up[0] > 0
    assert up[1:] == [0, 0, 0]
    assert a_killed[1] > a_killed[0] + a_killed[2]
    assert b_killed[2] > b_killed[0] + b_killed[1]
    assert restarted[0] > 0
    assert a_killed[3] == b_killed[3] == restarted[3] == 0
    assert "0 executions failed." in complete
    assert "Return: by itself to valkyrie" in complete


def test_the_changes_are_told_in_their_order(complete: str):
    """A line says what happens, and the next one who answers now."""
    told = ["→ valkyrie", "Worker A", "→ http", "Half-way", "Worker B", "→ local", "started again", "→ valkyrie"]
    assert re.search(".*?".join(told), complete, re.DOTALL)


def test_the_order_of_the_validators_changes_in_the_running_host(complete: str):
    """The records of the two halves show the two orders."""
    before, after = "(json-schema-validator, link-and-prize)", "(link-and-prize, json-schema-validator)"
    assert f"{before} → {after}" in complete


def test_too_few_messages_are_run_without_workers(tmp_path: Path):
    """Twenty messages show no breaker at work, so nothing is killed, and the demo says so."""
    path = write(tmp_path, SAMPLE.read_text(encoding="utf-8").splitlines()[:20])
    code, output, errors = finish(start(path, tmp_path))
    assert (code, errors) == (0, "")
    assert "Fewer than 30 messages" in output
    assert "20/20 executed by local 20" in output


def test_messages_without_labels_are_executed_too(tmp_path: Path):
    """Accuracy is unknown then, validity is still estimated, and an input that does not fit is rejected."""
    lines = [json.dumps({"input": {"text": f"see you at {hour}"}}) for hour in range(40)]
    path = write(tmp_path, [*lines, '{"input": {"texts": 1}}'])
    code, output, errors = finish(start(path, tmp_path, "--no-faults"))
    assert (code, errors) == (0, "")
    assert "40 success, 1 rejected" in output
    assert "no message has an `expected` label" in output


@pytest.mark.parametrize(
    ("lines", "message"),
    [(["{"], r"in\.jsonl:1: "), (['{"input": 1}', '{"text": 1}'], r"in\.jsonl:2: "), ([""], "holds no messages")],
)
def test_a_bad_file_is_one_clear_message(tmp_path: Path, lines: list[str], message: str):
    """It exits with 1 and names the line; there is no traceback, and no server was started."""
    code, output, errors = finish(start(write(tmp_path, lines), tmp_path))
    assert code == 1
    assert re.match("demo: .*" + message, errors)
    assert "Traceback" not in errors
    assert output == ""


def test_a_port_in_use_is_one_clear_message(tmp_path: Path):
    """It exits with 1 and names the port."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, _, errors = finish(start(SAMPLE, tmp_path, "--no-faults", "--port", str(port)))
    assert code == 1
    assert errors.startswith("demo: The server ended before it was ready")
    assert str(port) in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("connections", ["0", "-1", "many", "257", "10000000"])
def test_connections_are_a_sensible_number(tmp_path: Path, connections: str):
    """Anything but 1 to 256 is a mistake on the command line: exit code 2."""
    code, _, errors = finish(start(SAMPLE, tmp_path, f"--connections={connections}"))
    assert code == 2
    assert "is not a number from 1 to 256" in errors


def test_a_server_that_dies_is_reported(tmp_path: Path, long_run: subprocess.Popen[str]):
    """Killed in the middle of the run, the server is named as the cause, and the exit code is 1."""
    wait_for("Half-way", long_run)
    children = children_of(long_run.pid)
    os.kill(children["serve"][0], signal.SIGKILL)
    code, _, errors = finish(long_run)
    assert code == 1
    assert errors.startswith("demo: The server died. Its last words were:")
    assert "Traceback" not in errors
    assert not any(Path(f"/proc/{pid}").exists() for pid in children["worker"])


def test_a_demo_that_is_stopped_stops_its_server(tmp_path: Path, long_run: subprocess.Popen[str]):
    """SIGTERM ends the demo with 130, and neither a server nor a worker nor their folder is left."""
    said = wait_for("→ valkyrie", long_run)
    children = all_children_of(long_run.pid)
    long_run.terminate()
    code, _, errors = finish(long_run)
    assert (code, errors) == (130, "demo: interrupted\n")
    assert len(addresses(said)) == 3
    assert not any(map(is_listening, addresses(said)))
    assert not any(Path(f"/proc/{pid}").exists() for pids in children.values() for pid in pids)
    assert list(tmp_path.glob("hotplane-demo-*")) == []
