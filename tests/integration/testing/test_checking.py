"""The contract in a process of its own: `hotplane plugins check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hotplane.testing import Outcome
from hotplane.testing.checking import Checked, check_target

PLUGIN = """\
import ctypes, os, time
from hotplane import Config, PluginMetadata, ValidationResult, Validator


class Checker(Validator):
    metadata = PluginMetadata(name="checker", version="1.0")

    class Config(Config):
        word: str{default}

    {method}

    def validate(self, execution, context):
        return ValidationResult(valid=True)
"""


def check(folder: Path, method: str = "", *, default: str = ' = "x"', **given: Any) -> Checked:
    """Check a plugin with one more method."""
    path = folder / "checker.py"
    path.write_text(PLUGIN.format(method=method, default=default))
    return check_target(str(path), **given)


def test_a_sound_plugin_passes_every_check(tmp_path: Path):
    """Nothing is skipped, and the last check is the last of its kind's contract."""
    found = check(tmp_path)
    assert (found.ok, {each.outcome for each in found.checks}) == (True, {Outcome.OK})
    assert found.checks[-1].name == "is never valid by accident"


def test_a_broken_promise_is_a_problem(tmp_path: Path):
    """The plugin can be loaded, and is refused all the same."""
    found = check(tmp_path, "def stats(self): return {1}")
    assert (found.trial.ok, found.ok) == (True, False)
    assert [each.name for each in found.checks if each.outcome is Outcome.PROBLEM] == ["stats are JSON"]


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("def stats(self): os._exit(3)", "after 'health can be asked for': it ended the process with exit code 3"),
        ("def stats(self): ctypes.string_at(0)", "it ended the process by SIGSEGV"),
    ],
)
def test_what_ends_the_process_is_found(tmp_path: Path, method: str, words: str):
    """The checks before are kept, and the report says after which of them it happened."""
    found = check(tmp_path, method)
    assert found.checks[0].outcome is Outcome.OK
    assert words in found.checks[-1].detail
    assert not found.ok


def test_what_hangs_is_found(tmp_path: Path):
    """The same, once the limit is over; on a slow machine a short one is over before the check that hangs."""
    for limit in (6, 30, 90):
        found = check(tmp_path, "async def stats(self): time.sleep(3600)", limit=limit)
        details = [each.detail for each in found.checks]
        if details[-1:] == [f"after 'health can be asked for': it takes longer than {limit} s"]:
            break
    else:
        pytest.fail(str(details))
    assert found.checks[0].outcome is Outcome.OK
    assert not found.ok


def test_a_configuration_can_be_given(tmp_path: Path):
    """Without one a plugin that needs it is not started, which is told; with one it is."""
    without, given = check(tmp_path, default=""), check(tmp_path, default="", configuration={"word": "x"})
    skipped = [each for each in without.checks if each.outcome is Outcome.SKIPPED]
    assert (without.ok, given.ok) == (True, True)
    assert "give it a configuration" in skipped[0].detail
    assert len(given.checks) > len(without.checks)


def test_the_command_prints_each_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """One line each with ok or problem, a summary, and the exit code 1 when one fails."""
    from hotplane.cli import main

    check(tmp_path, "def stats(self): return {1}")
    target = str(tmp_path / "checker.py")
    assert main(["plugins", "check", target]) == 1
    shown = capsys.readouterr().out
    assert "\nok       metadata can be used\n" in shown
    assert "\nproblem  stats are JSON: `stats` returns set, not a mapping\n" in shown
    assert shown.endswith("18 checks: 17 ok, 1 problem\n")
    assert main(["plugins", "check", target, "-o", "json", "--configuration", '{"word": "y"}']) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False
    assert main(["plugins", "check", target, "--configuration", "[]"]) == 2
