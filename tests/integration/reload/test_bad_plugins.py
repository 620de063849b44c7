"""Directories with everything that can be wrong: each is isolated and explained, and the host serves on."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hotplane import Hotplane
from hotplane.host.discovery import discover
from hotplane.host.distributions import inventory
from hotplane.plugins import Validator
from hotplane.records import PluginMetadata, ValidationResult
from tests.integration.reload.conftest import HANG, OpenYard, Yard, configuration_of, source

BAD = {
    "not_python": ("this is not a language", "it is not valid Python"),
    "binary": ("\x00\x01\x02", "it is not valid Python"),
    "exits": (source(name="exits", top="import sys; sys.exit(1)"), "it ends the process"),
    "quits": (source(name="quits", top="import os\nraise KeyboardInterrupt"), "KeyboardInterrupt"),
    "base": (source(name="base", top="raise BaseException('all')"), "BaseException: all"),
    "endless": (source(name="endless", top="def f(): f()\nf()"), "it recurses without end"),
    "hangs": (source(name="hangs", top=HANG), "its import takes longer than 3 s"),
    "two": (source(name="a") + source(name="b").replace("Marking", "Other"), "2 plugin classes"),
    "none": ("x = 1\n", "it has no plugin class"),
    "bare": (source(name="bare").replace("    metadata =", "    facts ="), "it has no `metadata"),
    "version": (source(name="version", version="latest"), "is not a PEP 440 version"),
    "lost": (source(name="lost", top="import no_such_module_anywhere"), "no_such_module_anywhere"),
    "newer": (source(name="newer", extra=', requires_host=">=77"'), "it needs a host >=77"),
}
ODD = {
    "prints": source("prints", name="prints", top="print('hello from a plugin')"),
    "json": source("json", name="json", top="import json\nassert json.dumps([1]) == '[1]'"),
    "threads": source(
        "threads",
        name="threads",
        top="import threading, time\nthreading.Thread(target=time.sleep, args=(0.3,), daemon=True).start()",
    ),
}


@pytest.fixture
def full(directory: Path) -> Iterator[Path]:
    """Fill the directory with bad and odd plugins beside a good one."""
    (directory / "marking.py").write_text(source("good"))
    for name, text in {**{name: text for name, (text, _) in BAD.items()}, **ODD}.items():
        (directory / f"{name}.py").write_text(text)
    (directory / "empty_package").mkdir()
    (directory / "README.md").write_text("not a plugin")
    yield directory
    (directory / "hangs.py").write_text("")


def status_of(yard: Yard, name: str) -> tuple[str, str]:
    """Return state and reason of the plugin that comes from a file."""
    path = str(yard.path(name))
    found = [status for status in yard.host.plugins.list() if status.origin.path == path]
    assert len(found) == 1, (name, found)
    return found[0].state, found[0].reason or ""


@pytest.mark.usefixtures("full")
async def test_every_bad_plugin_is_isolated_and_explained(
    open_yard: OpenYard, capfd: pytest.CaptureFixture[str]
) -> None:
    """The host starts and serves with the good one; each bad one is failed, with its reason and no restart planned."""
    async with open_yard(import_timeout_seconds=3) as yard:
        for name, (_, words) in BAD.items():
            state, reason = status_of(yard, name)
            assert (state, words in reason) == ("failed", True), (name, state, reason)
        assert all(status.retry_at is None for status in yard.host.plugins.list())
        for name in ODD:
            assert status_of(yard, name)[0] == "active"
        results = (await yard.execute()).validations
        assert {result.message for result in results} == {"good", *ODD}
    assert "hello from a plugin" not in capfd.readouterr().out


@pytest.mark.usefixtures("full")
async def test_conflicts_are_reported_with_their_winner(open_yard: OpenYard, directory: Path) -> None:
    """Of two files with one name the earlier is used; the other is named, in the data and never silently."""
    (directory / "zz_again.py").write_text(source("again"))
    (directory / "hangs.py").unlink()
    async with open_yard() as yard:
        conflicts = [str(conflict) for conflict in yard.host.plugins.discovery.conflicts]
        assert len(conflicts) == 1
        assert "marking.py) is used" in conflicts[0]
        assert "zz_again.py) is not" in conflicts[0]
        assert yard.status().origin.path == str(yard.path())


NAMELESS = {
    "reserved": (source(name="health"), "The id 'health' is reserved"),
    "two words": ("this is not a language", "'two words' cannot be a plugin's id"),
    "spaced": (source(name="two more"), "'two more' cannot be a plugin's id"),
    "own": (source(name="local"), "A runner with the id 'local' is already registered"),
}


async def test_what_cannot_have_its_name_is_left_out(
    open_yard: OpenYard, directory: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file whose name is reserved, no id, or taken keeps the host from nothing, and says why it is not there."""
    (directory / "marking.py").write_text(source("good"))
    for name, (text, _) in NAMELESS.items():
        (directory / f"{name}.py").write_text(text)
    async with open_yard() as yard:
        assert yard.status().state == "active"
        for _, words in NAMELESS.values():
            assert words in caplog.text
        (tmp_path / "whole.py").write_text(source(name="mended"))
        (tmp_path / "whole.py").rename(yard.path("reserved"))  # half a file would be taken in under the file's name
        await yard.until(lambda: any(status.id == "mended" for status in yard.host.plugins.list()))


async def test_a_file_does_not_take_the_programs_name(tmp_path: Path, directory: Path) -> None:
    """What the program registers is there, although a file of the directory has the same name."""
    (directory / "plain.py").write_text(source(name="plain"))
    host = Hotplane.from_config(configuration_of(tmp_path, directory, "nothing", (), {}) | {"tasks": []})
    host.register(Plain)
    async with host:
        assert host.plugins.get("plain").origin.path is None
        assert host.plugins.get("plain").state == "active"


@contextmanager
def unprivileged() -> Generator[None]:
    """Act as nobody, where the tests run as root: root may read everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_directory_that_may_not_be_read(directory: Path) -> None:
    """It is reported as a problem, and what is found elsewhere is found all the same."""
    directory.chmod(0)
    try:
        with unprivileged():
            found = discover(builtins={"plain": Plain}, installed=inventory(), directories=[directory], references=[])
    finally:
        directory.chmod(0o755)
    assert "cannot be read" in found.problems[0].message
    assert "plain" in {each.name for each in found.found}


class Plain(Validator):
    metadata = PluginMetadata(name="plain", version="1")

    def validate(self, execution: object, context: object) -> ValidationResult:
        return ValidationResult(valid=True)


async def test_a_directory_that_is_not_there(open_yard: OpenYard, directory: Path) -> None:
    """It is reported as a problem; when it comes, its plugins are taken in."""
    os.rmdir(directory)  # noqa: PTH106 - pathlib's is refused in async functions
    async with open_yard() as yard:
        assert "cannot be read" in yard.host.plugins.discovery.problems[0].message
        os.mkdir(directory)  # noqa: PTH102 - pathlib's is refused in async functions
        yard.write(source("late"))
        await yard.until(lambda: any(status.id == "marking" for status in yard.host.plugins.list()))
        await yard.until(lambda: yard.status().state == "active")
        assert yard.host.plugins.discovery.problems == ()


async def test_an_import_that_comes_too_late_is_let_go_of(open_yard: OpenYard, directory: Path, tmp_path: Path) -> None:
    """The host does not wait for it, the thread ends with the import, and no module of it stays."""
    import sys

    go = tmp_path / "go"
    waiting = f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)"
    (directory / "marking.py").write_text(source(top=waiting))
    async with open_yard(import_timeout_seconds=1.0, watch=False) as yard:
        assert yard.status().state == "failed"
        assert yard.host.stats()["stuck_threads"] == 1
        go.touch()
        await yard.until(lambda: yard.host.stats()["stuck_threads"] == 0)
        assert [name for name in sys.modules if name.startswith("hotplane_plugins.marking")] == []
    assert all(thread.name != "hotplane-watch" for thread in threading.enumerate())
