"""The registry against its promises, and a state machine against a simple model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, assert_type

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from hotplane.errors import DuplicatePlugin, InvalidId, InvalidMetadata, ReservedId, UnknownPlugin
from hotplane.plugins import Plugin, Sample, Sampler, Validator
from hotplane.records import PluginMetadata, ValidationResult
from hotplane.registry import Registry


class Approving(Validator):
    metadata = PluginMetadata(name="approving", version="1.0")
    priority = 5

    def validate(self, execution: Any, context: Any) -> ValidationResult:
        return ValidationResult(valid=True)


class Eager(Sampler):
    metadata = PluginMetadata(name="eager", version="2.0")

    def should_sample(self, execution: Any, context: Any) -> Sample:
        return Sample(sampled=True)


class Translator(Plugin):
    """A kind of a user's own."""

    def translate(self, text: str) -> str:
        raise NotImplementedError


class Shouting(Translator):
    metadata = PluginMetadata(name="shouting", version="0.1")

    def translate(self, text: str) -> str:
        return text.upper()


class Lost(Validator):
    """Promises to validate and cannot."""

    metadata = PluginMetadata(name="lost", version="1")
    validate = None  # pyright: ignore[reportAssignmentType]


class Ornament(Plugin):
    """A kind of a user's own with nothing that a chain could call."""


class Star(Ornament):
    metadata = PluginMetadata(name="star", version="1")


def test_a_kind_without_a_method_has_plugins_and_no_chain() -> None:
    """They are found as any others; there is nothing to run them for."""
    registry = Registry()
    registry.register(Star())
    assert [plugin.name for plugin in registry.list(Ornament)] == ["star"]
    assert Ornament not in registry.chains


def test_a_plugin_without_its_kinds_method_is_refused() -> None:
    """It would fail at every call."""
    registry = Registry()
    with pytest.raises(InvalidMetadata, match="it has no method `validate`"):
        registry.register(Lost(), id="lost")
    assert registry.resolve(Plugin, "lost") is None


def test_resolve_is_typed_by_kind() -> None:
    """`resolve(Validator, …)` is `Validator | None` to the type checker, and a kind never answers for another."""
    registry = Registry()
    plugin = Approving()
    registry.register(plugin, id="x")
    found = registry.resolve(Validator, "x")
    assert_type(found, Validator | None)
    assert_type(registry.list(Sampler), tuple[Sampler, ...])
    assert found is plugin
    assert registry.resolve(Sampler, "x") is None


def test_the_type_checker_refuses_a_wrong_kind(tmp_path: Path) -> None:
    """A program that takes a resolved validator for a sampler does not pass the type checker."""
    source = tmp_path / "wrong.py"
    source.write_text(
        "from hotplane.plugins import Sampler, Validator\nfrom hotplane.registry import Registry\n"
        'wrong: Sampler | None = Registry().resolve(Validator, "x")\n'
    )
    checked = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert 'not assignable to "Sampler' in checked.stdout


def test_list_is_by_priority_then_id() -> None:
    """The order is priority descending, ties by id; disabled ones only where asked."""
    registry = Registry()
    for name, priority in (("b", 1), ("a", 1), ("c", 9)):
        registry.register(Approving(), id=name, priority=priority)
    registry.update("a", enabled=False)
    assert [plugin.id for plugin in registry.list(Validator)] == ["c", "b"]
    assert [plugin.id for plugin in registry.list(Validator, enabled_only=False)] == ["c", "a", "b"]
    assert (registry.count(Validator), registry.count(Validator, enabled_only=True)) == (3, 2)


def test_the_chain_holds_enabled_and_active_plugins_only() -> None:
    """Disabling, deactivating and re-ordering take effect in the compiled chain at once."""
    registry = Registry()
    for name in "abc":
        registry.register(Approving(), id=name)
    before = registry.chain(Validator)
    registry.update("a", enabled=False)
    registry.update("b", active=False)
    registry.register(Approving(), id="z", priority=99)
    assert [link.plugin_id for link in registry.chain(Validator).links] == ["z", "c"]
    assert [link.plugin_id for link in before.links] == ["a", "b", "c"]


def test_a_plugin_shows_its_standing() -> None:
    """`is_enabled` and `priority` on the plugin follow the registry."""
    registry = Registry()
    plugin = Approving()
    registry.register(plugin)
    assert (plugin.id, plugin.priority, plugin.is_enabled) == ("approving", 5, True)
    registry.update("approving", enabled=False, priority=-3)
    assert (plugin.priority, plugin.is_enabled) == (-3, False)


def test_a_second_plugin_with_the_same_id_is_refused() -> None:
    """Ids are unique over all kinds, and the refusal names the one that is there."""
    registry = Registry()
    registry.register(Approving(), id="x")
    with pytest.raises(DuplicatePlugin, match="validator with the id 'x'"):
        registry.register(Eager(), id="x")
    assert registry.count(Sampler) == 0


@pytest.mark.parametrize(
    ("name", "error"), [("health", ReservedId), ("system", ReservedId), ("a/b", InvalidId), ("é", InvalidId)]
)
def test_unusable_ids_are_refused(name: str, error: type[Exception]) -> None:
    """Ids that the API needs, or that cannot stand in a path, are refused by name."""
    with pytest.raises(error, match=name):
        Registry().register(Approving(), id=name)


def test_unregister_and_clear_keep_to_their_kind() -> None:
    """`unregister` and `clear` never take out another kind's plugins; `clear_all` takes everything."""
    registry = Registry()
    registry.register(Approving(), id="v")
    registry.register(Eager(), id="s")
    assert registry.unregister(Sampler, "v") is None
    assert registry.unregister(Validator, "v") is not None
    assert registry.clear(Validator) == 0
    assert registry.contains(Sampler, "s")
    assert registry.clear_all() == 1


def test_an_unknown_entry_is_named_with_the_closest_one() -> None:
    """A misspelt id gets a suggestion."""
    registry = Registry()
    registry.register(Approving())
    with pytest.raises(UnknownPlugin, match="did you mean 'approving'"):
        registry.update("aproving", enabled=False)


def test_a_kind_of_ones_own_works_like_a_built_in_one() -> None:
    """A direct subclass of Plugin is a kind: it resolves, lists and is compiled into a chain."""
    registry = Registry()
    registry.register(Shouting())
    assert Translator.method == "translate"
    assert registry.chain(Translator).run("hello") == ["HELLO"]
    assert [plugin.name for plugin in registry.list(Translator)] == ["shouting"]
    assert registry.resolve(Shouting, "shouting") is not None


def test_a_swapped_generation_has_fresh_counters() -> None:
    """The next generation takes the place, order and standing of the one before, and counts from zero."""
    registry = Registry()
    registry.register(Shouting(), priority=7)
    registry.chain(Translator).run("x")
    entry = registry.swap("shouting", Shouting(), generation=2)
    assert (entry.priority, entry.generation, entry.stats.calls) == (7, 2, 0)
    assert registry.chain(Translator).links[0].generation == 2


class RegistryModel(RuleBasedStateMachine):
    """Every operation on a registry and on a plain dictionary, which must agree."""

    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.registry = Registry()
        self.model: dict[str, tuple[type[Plugin[Any]], int, bool]] = {}

    @rule(
        target=ids,
        name=st.sampled_from("abcdef"),
        kind=st.sampled_from([Approving, Eager]),
        priority=st.integers(-2, 2),
    )
    def register(self, name: str, kind: type[Plugin[Any]], priority: int) -> str:
        if name in self.model:
            with pytest.raises(DuplicatePlugin):
                self.registry.register(kind(), id=name, priority=priority)
        else:
            self.registry.register(kind(), id=name, priority=priority)
            self.model[name] = (kind, priority, True)
        return name

    @rule(name=consumes(ids), kind=st.sampled_from([Validator, Sampler]))
    def unregister(self, name: str, kind: type[Plugin[Any]]) -> None:
        here = name in self.model and issubclass(self.model[name][0], kind)
        assert (self.registry.unregister(kind, name) is not None) == here
        if here:
            del self.model[name]

    @rule(name=ids, enabled=st.booleans(), priority=st.integers(-2, 2))
    def update(self, name: str, enabled: bool, priority: int) -> None:
        if name in self.model:
            self.registry.update(name, enabled=enabled, priority=priority)
            self.model[name] = (self.model[name][0], priority, enabled)

    @rule(kind=st.sampled_from([Validator, Sampler]))
    def clear(self, kind: type[Plugin[Any]]) -> None:
        gone = [name for name, entry in self.model.items() if issubclass(entry[0], kind)]
        assert self.registry.clear(kind) == len(gone)
        for name in gone:
            del self.model[name]

    @invariant()
    def agrees(self) -> None:
        for kind in (Validator, Sampler):
            mine = {name: entry for name, entry in self.model.items() if issubclass(entry[0], kind)}
            order = sorted(mine, key=lambda name: (-mine[name][1], name))
            enabled = [name for name in order if mine[name][2]]
            assert [plugin.id for plugin in self.registry.list(kind, enabled_only=False)] == order
            assert [plugin.id for plugin in self.registry.list(kind)] == enabled
            assert [link.plugin_id for link in self.registry.chain(kind).links] == enabled
            assert all(self.registry.contains(kind, name) for name in order)


RegistryModel.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestRegistryModel = RegistryModel.TestCase


def test_a_kind_without_a_method_has_no_chain() -> None:
    """It is found by its id; nothing runs through it."""
    registry = Registry()
    registry.register(Shouting(), id="shouting")
    found = registry.resolve(Shouting, "shouting")
    assert found is not None
    assert found.translate("a") == "A"
