"""`hotplane events` and `hotplane webhooks` against a real server, and the receiver for developers."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import COMMAND, Served, end, environment, start_server, write_project

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
OTHER = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
FORMS = ("table", "json")
LOCAL = "network: {allow: [127.0.0.0/8]}\n"


class Child:
    """A command that goes on, read line by line."""

    def __init__(self, folder: Path, *arguments: str, **added: str) -> None:
        self.process = subprocess.Popen(
            [COMMAND, *arguments], cwd=folder, env=environment(**added), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._said = b""

    def line(self, within: float = 60.0) -> str:
        """Return the next line of its output."""
        assert self.process.stdout
        while b"\n" not in self._said:
            ready, _, _ = select.select([self.process.stdout], [], [], within)
            part = os.read(self.process.stdout.fileno(), 65_536) if ready else b""
            assert part, "it says nothing more"
            self._said += part
        line, _, self._said = self._said.partition(b"\n")
        return line.decode()

    def interrupt(self) -> tuple[int, str]:
        """Press Ctrl-C, and return its exit code and what it said on stderr."""
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors.decode()


@contextmanager
def running(folder: Path, *arguments: str, **added: str) -> Generator[Child]:
    """Run a command that goes on."""
    child = Child(folder, *arguments, **added)
    try:
        yield child
    finally:
        if child.process.poll() is None:
            child.process.kill()
        child.process.communicate()


@pytest.fixture(scope="module")
def allowing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose handlers may send to this machine."""
    folder = write_project(tmp_path_factory.mktemp("allowing"))
    file = folder / "hotplane.yaml"
    file.write_text(file.read_text() + LOCAL)
    served = start_server(folder)
    yield served
    end(served)


def add(server: Served, name: str, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Make a handler, its configuration read from stdin."""
    body = json.dumps({"url": url, "secrets": [SECRET]})
    given = ("--configuration", "-", "--event", "canary.*", *arguments)
    return server.call("webhooks", "add", name, *given, input=body)


def until(look: Callable[[], Any], within: float = 60.0) -> Any:
    """Return what `look` finds, once it finds something."""
    ends_at = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < ends_at, "it did not come"
        time.sleep(0.05)
    return found


def test_what_is_published_is_listed(server: Served) -> None:
    """As a line for people, as JSON for programs."""
    published = server.call("events", "publish", "canary.deployment.started", '{"version": "1.4"}', "--source", "ci")
    assert published.returncode == 0
    assert "canary.deployment.started" in published.stdout
    assert "source=external/ci" in published.stdout
    listed = server.call("events", "list", "--type", "canary.*", "--output", "ndjson")
    assert json.loads(listed.stdout.splitlines()[0])["payload"] == {"version": "1.4"}
    assert "canary.deployment.started" in server.call("events", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("events", "publish", "canary.started"), "did you mean"),
        (("events", "publish", "task.created", "{"), "payload"),
        (("events", "list", "--type", "plugin.faild"), "plugin.failed"),
        (("events", "list", "--since", "yesterday"), "--since"),
        (("events", "replay", "--any"), "--handler"),
        (("events", "replay", "--handler", "nobody"), "nobody"),
        (("webhooks", "show", "nobody"), "nobody"),
        (("webhooks", "remove", "console-webhook-handler"), "declared in the configuration file"),
        (("webhooks", "retry", "nobody", "1"), "nobody"),
        (("webhooks", "add", "x", "--configuration", '{"url": "http://127.0.0.1/"}'), "/configuration"),
        (("webhooks", "listen", "--secret", "whsec_c2hvcnQ="), "signing key"),
    ],
)
def test_bad_input_ends_with_2_and_says_what_is_wrong(server: Served, arguments: tuple[str, ...], words: str) -> None:
    """On stderr, in one message."""
    ended = server.call(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert words in ended.stderr


def test_the_tail_goes_on_over_a_restart_of_the_server(project: Path) -> None:
    """What was published meanwhile comes, and nothing twice."""
    first = start_server(project)
    port = first.url.rpartition(":")[2]
    following = ("events", "tail", "--type", "canary.*", "--after", "0", "-o", "json", "--server", first.url)
    with running(project, *following) as tail:
        first.call("events", "publish", "canary.deployment.started", "--id", "one")
        assert json.loads(tail.line())["id"] == "one"
        first.process.kill()
        first.process.communicate()
        again = start_server(project, "--port", port)
        try:
            again.call("events", "publish", "canary.deployment.succeeded", "--id", "two")
            assert json.loads(tail.line())["id"] == "two"
            assert tail.interrupt()[0] == 130
        finally:
            end(again)


def test_the_listener_verifies_fails_and_counts_repetitions(allowing: Served) -> None:
    """The first request fails, the repetition is taken; Ctrl-C prints what came."""
    listening = ("webhooks", "listen", "--port", "0", "--fail", "1", "--status", "503")
    with running(allowing.folder, *listening, HOTPLANE_WEBHOOK_SECRET=SECRET) as listener:
        url = listener.line().split()[-1]
        quick = json.dumps({"schedule_seconds": [0.1], "throttle_seconds": 0, "jitter": 0})
        assert add(allowing, "dev", url, "--delivery", quick).returncode == 0
        allowing.call("events", "publish", "canary.deployment.started", '{"version": "2"}')
        said = [listener.line() for _ in range(4)]
        assert "canary.deployment.started" in said[0]
        assert '{"version":"2"}' in said[0]
        assert "signature ok, answered 503" in said[1]
        assert "signature ok, answered 200, 2. time" in said[3]
        code, errors = listener.interrupt()
        assert code == 0
        assert "2 requests (1 × 200, 1 × 503), 1 events, 1 repetitions, 0 with a signature" in errors
    listed = until(lambda: "delivered" in (found := allowing.call("webhooks", "deliveries", "dev").stdout) and found)
    assert "canary.deployment.started" in listed
    assert allowing.call("webhooks", "remove", "dev").returncode == 0


def test_the_listener_refuses_a_signature_that_does_not_fit(allowing: Served) -> None:
    """With 401; `webhooks test` shows the answer and ends with 1."""
    with running(allowing.folder, "webhooks", "listen", "--port", "0", "--secret", OTHER, "-o", "json") as listener:
        add(allowing, "wrong", listener.line().split()[-1])
        tried = allowing.call("webhooks", "test", "wrong")
        assert (tried.returncode, "failed 401" in tried.stdout) == (1, True)
        assert json.loads(listener.line())["verified"] is False
    allowing.call("webhooks", "remove", "wrong")


def test_a_receiver_that_is_gone_disables_its_handler(allowing: Served) -> None:
    """`--gone` answers 410."""
    with running(allowing.folder, "webhooks", "listen", "--port", "0", "--gone") as listener:
        add(allowing, "leaving", listener.line().split()[-1])
        allowing.call("events", "publish", "canary.deployment.started")
        listener.line()

        def disabled() -> bool:
            return not json.loads(allowing.call("webhooks", "show", "leaving", "-o", "json").stdout)["enabled"]

        until(disabled)
        shown = allowing.call("webhooks", "show", "leaving").stdout
        assert re.search(r"disabled +by the host at \S+ \S+: the receiver is gone \(410\)", shown), shown
    allowing.call("webhooks", "remove", "leaving")


def test_dead_deliveries_are_replayed(allowing: Served) -> None:
    """A receiver that always fails, then one that does not, on the same port."""
    with running(allowing.folder, "webhooks", "listen", "--port", "0", "--status", "500") as listener:
        url = listener.line().split()[-1]
        add(allowing, "later", url, "--delivery", '{"schedule_seconds": []}')
        allowing.call("events", "publish", "canary.deployment.started", "--id", "dead-one")
        until(lambda: allowing.call("webhooks", "deliveries", "later", "--state", "dead", "-o", "ndjson").stdout)
    port = url.rstrip("/").rpartition(":")[2]
    with running(allowing.folder, "webhooks", "listen", "--port", port, "-o", "json", "-n", "1") as listener:
        listener.line()
        replayed = allowing.call("events", "replay", "--handler", "later")
        assert replayed.stdout == "later: 1 to be delivered anew\n"
        assert json.loads(listener.line())["id"] == "dead-one"
        assert listener.process.wait(60) == 0
    allowing.call("webhooks", "remove", "later")


def test_the_listener_slows_down_and_limits(tmp_path: Path) -> None:
    """More than the rate gets 429, with Retry-After where it was asked for."""
    with running(tmp_path, "webhooks", "listen", "--port", "0", "--rate", "0.01", "--retry-after", "7") as listener:
        url = listener.line().split()[-1]
        statuses: list[int] = []
        for _ in range(2):
            try:
                statuses.append(urllib.request.urlopen(url, b"{}", timeout=60).status)
            except urllib.error.HTTPError as error:
                statuses += [error.code, int(error.headers["Retry-After"])]
        assert statuses == [200, 429, 7]
        assert "not verified, answered 200" in listener.line() + listener.line()


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    """Exit 2, and no summary."""
    with running(tmp_path, "webhooks", "listen", "--port", "0") as listener:
        port = listener.line().rstrip("/\n").rpartition(":")[2]
        ended = subprocess.run(
            [COMMAND, "webhooks", "listen", "--port", port], cwd=tmp_path, env=environment(), capture_output=True,
            text=True, timeout=120, check=False,
        )  # fmt: skip
        assert (ended.returncode, "in use" in ended.stderr, "requests" in ended.stderr) == (2, True, False)


def test_a_secret_is_not_shown(allowing: Served) -> None:
    """Neither by `add` nor by `show`, as a table and as JSON."""
    made = add(allowing, "hidden", "http://127.0.0.1:9/a-long-secret-path-of-a-hook")
    shown = [
        made.stdout,
        *(allowing.call("webhooks", "show", "hidden", "-o", form).stdout for form in ("table", "json")),
    ]
    assert made.returncode == 0, made.stderr
    assert SECRET not in "".join(shown)
    assert "a-long-secret" not in "".join(shown)
    assert "hidden" in allowing.call("webhooks", "list").stdout
