"""`hotplane plugins` as a person runs it: against a server, and without one on directories with bad plugins."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import COMMAND, call_command, environment

FOLLOWED_WITHIN = 60.0

PLUGIN = """\
from hotplane import PluginMetadata, ValidationResult, Validator
{top}

class Checker(Validator):
    metadata = PluginMetadata(name="{name}", version="{version}")

    async def validate(self, execution, context):
        return ValidationResult(valid=True)
"""

CONFIGURATION = """
programs: {allow: [jobs]}
server: {shutdown_grace_seconds: 1}
tasks: {echo: {program: "jobs:echo"}}
plugins:
  directories: [plugins]
  watch: false
  samplers: [{name: percentage-sampler}]
"""


def plugin(name: str, *, top: str = "", version: str = "1.0") -> str:
    """Return the source of a plugin."""
    return PLUGIN.format(name=name, top=top, version=version)


BAD = {
    "not_python": ("def (", "it is not valid Python"),
    "exits": (plugin("exits", top="import sys; sys.exit(3)"), "it ends the process (`sys.exit`)"),
    "leaves": (plugin("leaves", top="import os; os._exit(0)"), "it ended the process while it was imported"),
    "crashes": (plugin("crashes", top="import ctypes; ctypes.string_at(0)"), "by SIGSEGV"),
    "hangs": (plugin("hangs", top="while True: pass"), "takes longer than 3 s"),
    "base": (plugin("base", top="raise BaseException('all is lost')"), "it raises BaseException: all is lost"),
    "interrupts": (plugin("interrupts", top="raise KeyboardInterrupt"), "it raises KeyboardInterrupt"),
    "endless": (plugin("endless", top="def f(): f()\nf()"), "it recurses without end"),
    "two": (plugin("a") + plugin("b").replace("Checker", "Other"), "it has 2 plugin classes"),
    "none": ("x = 1\n", "it has no plugin class"),
    "bare": (plugin("bare").replace("    metadata =", "    facts ="), "it has no `metadata"),
    "version": (plugin("version", version="latest"), "version 'latest' is not a PEP 440 version"),
    "gone": (None, "it cannot be read"),
    "reserved": (plugin("health"), "The id 'health' is reserved"),
    "two words": ("def (", "'two words' cannot be a plugin's id"),
    "own": (plugin("local"), "A runner with the id 'local' is already registered"),
}
NAMELESS = {"reserved", "two words", "own"}
"""Those without an id under which they could be listed; the log and the doctor name them."""
ODD = {
    "prints": (plugin("prints", top="print('hello')"), "It printed 'hello'"),
    "json": (plugin("json"), "It has the name of the standard module 'json'"),
    "threads": (
        plugin("threads", top="import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()"),
        "It started the thread",
    ),
}


def fill(folder: Path) -> Path:
    """Write every bad and odd plugin beside two good ones of one name."""
    folder.mkdir(exist_ok=True)
    for name, (text, _) in {**BAD, **ODD}.items():
        if text is None:
            (folder / f"{name}.py").symlink_to("nowhere.py")
        else:
            (folder / f"{name}.py").write_text(text)
    (folder / "good.py").write_text(plugin("good"))
    (folder / "twin.py").write_text(plugin("good"))
    return folder


@pytest.fixture(scope="module")
def hung(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What `doctor` says of a plugin that hangs and one after it; the limit is short for this one directory only."""
    folder = tmp_path_factory.mktemp("endless")
    (folder / "hangs.py").write_text(BAD["hangs"][0] or "")
    (folder / "later.py").write_text(plugin("later"))
    return call_command("plugins", "doctor", str(folder), "--timeout", "3", folder=folder)


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory, hung: Any) -> Any:
    """What `doctor` says of a directory with everything else that can be wrong, without a server, after `hung`.

    A process takes seconds to start where the machine is busy, so the limit is long.
    """
    folder = fill(tmp_path_factory.mktemp("bad") / "plugins")
    (folder / "hangs.py").unlink()
    found = call_command("plugins", "doctor", str(folder), "--timeout", "100", folder=folder.parent)
    found.stdout = hung.stdout + found.stdout
    return found


@pytest.mark.parametrize("name", BAD)
def test_the_doctor_explains_every_bad_plugin_in_one_line(examined: Any, name: str) -> None:
    """Each is a problem, with its file and the reason."""
    lines = [line for line in examined.stdout.splitlines() if f"/{name}.py)" in line and line.startswith("problem")]
    assert len(lines) == 1, examined.stdout
    assert BAD[name][1] in lines[0]


@pytest.mark.parametrize("name", ODD)
def test_the_doctor_warns_of_odd_plugins(examined: Any, name: str) -> None:
    """They can serve, and their author learns what to do otherwise."""
    line = next(line for line in examined.stdout.splitlines() if f"/{name}.py)" in line)
    assert line.startswith("warning")
    assert ODD[name][1] in line


def test_the_doctor_names_conflicts_and_ends_with_1(examined: Any) -> None:
    """Two files of one name are a conflict with a stated winner; the summary counts everything."""
    lines = examined.stdout.splitlines()
    assert any(line.startswith("ok       good 1.0 validator") for line in lines)
    assert any(line.startswith("conflict ") and "good.py) is used" in line for line in lines)
    assert lines[-1] == "19 plugins: 4 can serve (3 with warnings), 15 cannot, 2 conflicts"
    assert (examined.returncode, examined.stderr) == (1, "")


def test_a_plugin_that_hangs_does_not_keep_the_doctor_from_the_others(hung: Any) -> None:
    """The one after it has its line, though on a busy machine it may take too long as well."""
    *lines, summary = hung.stdout.splitlines()
    [later] = (line for line in lines if "/later.py)" in line)
    assert later.startswith("ok ") or BAD["hangs"][1] in later
    assert summary.startswith("2 plugins: ")
    assert (hung.returncode, hung.stderr) == (1, "")


def test_the_doctor_reads_a_configuration(call: Any, tmp_path: Path) -> None:
    """Wrong settings, missing types and unmet needs are problems; JSON says the same."""
    (tmp_path / "plugins").mkdir()
    needy = plugin("needy").replace('version="1.0"', 'version="1.0", requires=("other>=2",)')
    (tmp_path / "plugins" / "needy.py").write_text(needy)
    (tmp_path / "hotplane.yaml").write_text(
        "plugins:\n  directories: [plugins]\n"
        "  samplers: [{name: percentage-sampler, configuration: {sampling_rate: 7}}]\n"
        "  validators: [{name: mine, type: 'nowhere:Class'}]\n"
    )
    done = call("plugins", "doctor", "-o", "json")
    found = {each["id"]: each for each in json.loads(done.stdout)["plugins"]}
    assert (done.returncode, json.loads(done.stdout)["ok"]) == (1, False)
    assert "/sampling_rate" in found["percentage-sampler"]["problems"][0]
    assert "no module 'nowhere'" in found["mine"]["problems"][0]
    assert "requires the plugin 'other'" in found["needy"]["problems"][0]


def test_a_sound_configuration_ends_with_0(call: Any, project: Path) -> None:
    """Nothing is wrong, and nothing was started."""
    done = call("plugins", "doctor")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "3 plugins: 3 can serve")
    assert not list(project.glob("*.db"))


def test_check_shows_what_a_plugin_is_and_what_is_wrong(call: Any, tmp_path: Path) -> None:
    """0 with its metadata; 1 with the problem and the plugin's own lines of the traceback; 2 where nothing is."""
    (tmp_path / "good.py").write_text(plugin("good"))
    (tmp_path / "bad.py").write_text(plugin("bad", top="raise RuntimeError('no luck')"))
    good, bad = call("plugins", "check", "good.py"), call("plugins", "check", "bad.py", "-o", "json")
    assert (good.returncode, "good" in good.stdout, "validator" in good.stdout) == (0, True, True)
    report = json.loads(bad.stdout)
    assert (bad.returncode, report["ok"]) == (1, False)
    assert "no luck" in report["problems"][0]
    assert 'bad.py", line 2' in report["traceback"]
    assert call("plugins", "check", "missing.py").returncode == 2


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server with every bad plugin in its directory."""
    from tests.acceptance.conftest import end, start_server

    folder = tmp_path_factory.mktemp("managed")
    (folder / "jobs.py").write_text("def echo(value):\n    return value\n")
    (folder / "hotplane.yaml").write_text(CONFIGURATION)
    directory = fill(folder / "plugins")
    for name in ("crashes", "leaves", "hangs", "twin"):  # a process cannot survive these: only isolation does
        (directory / f"{name}.py").unlink()
    served = start_server(folder)
    yield served
    end(served)


def test_the_server_serves_on_beside_bad_plugins(managed: Any) -> None:
    """Each is listed with its state and reason; executions go on."""
    listed = json.loads(managed.call("plugins", "list", "-o", "json").stdout)["items"]
    failed = {Path(each["origin"]["path"]).stem: each["reason"] for each in listed if each["state"] == "failed"}
    assert set(failed) == set(BAD) - {"crashes", "leaves", "hangs"} - NAMELESS
    for name, reason in failed.items():
        assert BAD[name][1].removeprefix("version ") in reason
    assert managed.call("execute", "echo", "1").returncode == 0


def test_the_list_has_version_source_generation_health_and_reason(managed: Any) -> None:
    """For people, in a table."""
    title, *lines = managed.call("plugins", "list").stdout.splitlines()
    for word in ("STATE", "VERSION", "SOURCE", "GEN", "HEALTH", "REASON"):
        assert word in title
    assert any(line.startswith("good ") and "directory" in line for line in lines)


def test_reload_load_configure_and_remove(managed: Any) -> None:
    """The whole life of a plugin from the command line."""
    file = managed.folder / "plugins" / "later.py"
    file.write_text(plugin("later"))
    assert managed.call("plugins", "load", "plugins/later.py").returncode == 0
    file.write_text(plugin("later", version="2.0"))
    reloaded = json.loads(managed.call("plugins", "reload", "later", "-o", "json").stdout)
    assert (reloaded["version"], reloaded["generation"]) == ("2.0", 2)
    file.write_text(plugin("later", version="3.0", top="raise RuntimeError('no luck')"))
    broken = managed.call("plugins", "reload", "later")
    assert (broken.returncode, "no luck" in broken.stderr, "Generation 2 serves on" in broken.stderr) == (2, True, True)
    shown = managed.call("plugins", "info", "later").stdout
    assert "no luck" in shown
    configured = managed.call("plugins", "config", "percentage-sampler", '{"sampling_rate": 0.5}', "-o", "json")
    assert json.loads(configured.stdout)["overrides"] == {"configuration": {"sampling_rate": 0.5}}
    assert managed.call("plugins", "remove", "later").returncode == 0
    assert managed.call("plugins", "info", "later").returncode == 2


def test_reload_all_says_what_came_of_each(managed: Any) -> None:
    """What failed makes the exit code 1; exactly one of a name and --all is asked for."""
    done = managed.call("plugins", "reload", "--all", "-o", "json")
    outcomes = {each["plugin_id"]: each["outcome"] for each in json.loads(done.stdout)["items"]}
    assert (done.returncode, outcomes["good"], outcomes["not_python"]) == (1, "unchanged", "failed")
    assert managed.call("plugins", "reload").returncode == 2


def test_health_is_shown_and_checked(managed: Any) -> None:
    """Of one plugin and of all."""
    one = json.loads(managed.call("plugins", "health", "good", "--check", "-o", "json").stdout)
    assert (one["status"], one["active"]) == ("healthy", True)
    everyone = managed.call("plugins", "health").stdout
    assert "percentage-sampler" in everyone
    assert managed.call("plugins", "health", "nobody").returncode == 2


@pytest.mark.parametrize("form", ["table", "json"])
def test_events_are_followed(managed: Any, form: str) -> None:
    """As lines for people, as one object a line for programs; only those of one plugin, and only so many."""
    with follow(managed, "good", "-n", "2", "-o", form) as following:
        until = time.monotonic() + FOLLOWED_WITHIN
        while following.poll() is None:  # whether the client listens already cannot be seen from here
            assert time.monotonic() < until
            managed.call("plugins", "restart", "good")
            time.sleep(0.2)
        output, _ = following.communicate()
    lines = output.splitlines()
    assert (following.returncode, len(lines)) == (0, 2)
    if form == "json":
        assert {json.loads(line)["plugin_id"] for line in lines} == {"good"}
    else:
        assert all("good" in line and "→" in line for line in lines)


def test_following_ends_with_the_server(serve: Callable[..., Any]) -> None:
    """The server stops at once although somebody follows, and the client ends without an error."""
    served = serve()
    with follow(served, "-o", "json") as following:
        assert following.stdout
        until = time.monotonic() + FOLLOWED_WITHIN
        while not select.select([following.stdout], [], [], 0.2)[0]:  # until it listens
            assert time.monotonic() < until
            served.call("plugins", "restart", "percentage-sampler")
        assert "plugin.active" in served.log
        os.kill(served.process.pid, signal.SIGTERM)
        assert served.process.wait(60) == 0
        output, errors = following.communicate(timeout=60)
    assert (following.returncode, errors) == (0, "")
    assert output


@contextlib.contextmanager
def follow(served: Any, *arguments: str) -> Generator[subprocess.Popen[str]]:
    """Follow the events of plugins, at most until the end of the block."""
    with subprocess.Popen(
        [COMMAND, "plugins", "events", *arguments], cwd=served.folder, env=environment(HOTPLANE_SERVER=served.url),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as following:  # fmt: skip
        try:
            yield following
        finally:
            following.kill()
