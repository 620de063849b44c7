"""The contract finds what is wrong: a check that cannot fail would be worth nothing."""

from __future__ import annotations

from typing import Any

import pytest

from hotplane.plugins import Config, Validator
from hotplane.records import PluginMetadata, ValidationResult
from hotplane.testing import ContractBroken, Outcome, assert_plugin_contract, check_plugin_contract, contract
from hotplane.testing.contract import DECLARED, HANDLER, LIFE, RUNNER, SAMPLER, VALIDATOR, life, subject
from tests.unit.testing import broken_plugins as broken


def problems(cls: Any, **given: Any) -> dict[str, str]:
    """Return the checks that found something, with what they found."""
    found = check_plugin_contract(cls, **given)
    return {check.name: check.detail for check in found if check.outcome is Outcome.PROBLEM}


@pytest.mark.parametrize("check", broken.BROKEN)
def test_a_broken_promise_is_found(check: str):
    """Each check finds the plugin that breaks its promise, and says something about it."""
    assert problems(broken.BROKEN[check])[check]


def test_every_check_has_its_broken_plugin():
    """But for what the runners' own suite holds: there one promise stands for all."""
    names = {*DECLARED, *LIFE, *VALIDATOR, *SAMPLER, *HANDLER, "failures have a type", "state survives a reload"}
    assert names - set(broken.BROKEN) == set()
    assert set(broken.BROKEN) - names <= {*RUNNER, "starts and stops"}


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (broken.Reserved, "its name 'health' is reserved"),
        (broken.HalfState, "has one of"),
        (broken.Gullible, "after state that it cannot read"),
        (broken.AlwaysRaises, "raises on every execution"),
        (broken.NoProbability, "no `probability`"),
        (broken.Exits, "SystemExit"),
        (broken.LeavesTasks, "forgotten"),
        (broken.Lenient, "derive its model from `hotplane.Config`"),
    ],
)
def test_it_says_what_to_mend(cls: Any, words: str):
    """The report is a sentence about the plugin."""
    assert any(words in detail for detail in problems(cls).values())


def test_a_runner_that_is_not_async_is_told_so():
    """One sentence says what to write, instead of a TypeError about awaiting a result."""
    found = problems(broken.SyncRunner)
    assert "write `async def run`" in found["values go there and back"]
    assert "TypeError" not in str(found)


def test_a_constructor_may_take_its_time(monkeypatch: pytest.MonkeyPatch):
    """A host runs it beside the event loop, and so does the contract: it blocks nothing, up to its own limit."""
    broken.SlowConstructor.released.clear()
    assert problems(broken.SlowConstructor) == {}
    monkeypatch.setattr(subject, "LIMIT_SECONDS", 0.05)
    monkeypatch.setattr(broken.SlowConstructor, "seconds", 30)
    try:
        assert "took longer than 0.05 s in __init__" in problems(broken.SlowConstructor)["starts and stops"]
    finally:
        broken.SlowConstructor.released.set()


def test_blocking_is_measured(monkeypatch: pytest.MonkeyPatch):
    """A method that keeps the loop is told to be async, or blocking; one that says so is left alone."""
    monkeypatch.setattr(life, "BLOCKED_SECONDS", 0.05)
    assert "set `blocking = True`" in problems(broken.Blocks)["does not block the event loop"]
    monkeypatch.undo()
    assert problems(broken.BlocksAside) == {}


def test_a_call_that_never_ends_does_not_keep_the_test(monkeypatch: pytest.MonkeyPatch):
    """A loop that does not turn cannot be interrupted; it is left, and told."""
    monkeypatch.setattr(contract, "_SILENT_SECONDS", 1.0)
    broken.Hangs.released.clear()
    try:
        assert "does not end" in problems(broken.Hangs)["every call ends"]
    finally:
        broken.Hangs.released.set()


def test_a_sound_plugin_passes_in_either_form():
    """A class, or an instance with its configuration."""
    assert_plugin_contract(broken.Sound)
    assert_plugin_contract(broken.Sound())


async def test_it_can_be_asserted_while_a_loop_runs():
    """An async test may hold a plugin to its contract, too."""
    with pytest.raises(ContractBroken, match=r"SaysYes breaks .*\n  answers with verdicts: `validate` returns bool"):
        assert_plugin_contract(broken.SaysYes)


class Needy(Validator):
    """Has a setting without a default."""

    metadata = PluginMetadata(name="needy", version="1.0")

    class Config(Config):
        """What it needs."""

        price: float

    def validate(self, execution: Any, context: Any) -> ValidationResult:
        """Judge."""
        return ValidationResult(valid=execution.output == self.config.price)  # type: ignore[attr-defined]


def test_a_plugin_that_needs_a_configuration_is_given_one():
    """Without one nothing is known of it, and an assertion says so rather than pass."""
    assert problems(Needy) == {}
    with pytest.raises(ContractBroken, match="give it a configuration"):
        assert_plugin_contract(Needy)
    assert_plugin_contract(Needy, configurations=[{"price": 1}, {"Price": 2.5}])
    assert "starts and stops (configuration 2)" in problems(Needy, configurations=[{"price": 1}, {"price": "x"}])


def test_a_kind_of_ones_own_is_called_as_one_says():
    """Without arguments its method is skipped, not passed."""
    skipped = [each.name for each in check_plugin_contract(broken.BadShape) if each.outcome is Outcome.SKIPPED]
    assert skipped == ["its method can be called"]
    assert "ZeroDivisionError" in problems(broken.BadShape, calls=[(1,)])["its method can be called"]
