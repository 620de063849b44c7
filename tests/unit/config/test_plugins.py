"""Plugin entries: their types, names and short form."""

from __future__ import annotations

from typing import Any

import pytest

from hotplane.config import PluginEntry, config_from_mapping
from hotplane.errors import ConfigurationError


def entries_of(plugins: dict[str, Any], **arguments: Any) -> list[PluginEntry]:
    """Return the entries of a section `plugins`."""
    loaded = config_from_mapping({"plugins": plugins}, **arguments)
    return [entry for _, entry in loaded.config.plugins.entries()]


def messages_of(plugins: dict[str, Any], **arguments: Any) -> list[str]:
    """Return pointer and message of every problem with a section `plugins`."""
    with pytest.raises(ConfigurationError) as caught:
        config_from_mapping({"plugins": plugins}, **arguments)
    return [f"{problem.pointer}: {problem.message}" for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, "percentage-sampler"),
        ("sampler", "percentage-sampler"),
        ("local", "local"),
        ("my.mod:Cls.In", "my.mod:Cls.In"),
    ],
)
def test_the_type_is_the_name_where_it_is_absent_or_a_kind(given: str | None, meant: str):
    """A kind's name tells nothing that the list does not tell already."""
    (entry,) = entries_of({"samplers": [{"name": "percentage-sampler", "type": given}]})
    assert entry.plugin_type == meant


def test_two_instances_of_one_type_are_normal():
    """The name is the instance's, the type is shared."""
    pair = [{"name": name, "type": "console-webhook-handler"} for name in ("a", "b")]
    assert [entry.name for entry in entries_of({"webhook_handlers": pair})] == ["a", "b"]


def test_an_unknown_type_is_refused_with_the_known_ones():
    """Neither a misspelt built-in nor a place without a colon goes through."""
    (message,) = messages_of({"runners": [{"name": "x", "type": "rocket"}]})
    assert message.startswith("/plugins/runners/0/type: there is no plugin type 'rocket'")
    assert "json-schema-validator" in message
    assert "slack-webhook-handler" in message


def test_a_place_that_is_not_module_and_class_is_refused():
    """`module:Class` takes a dotted module and a name."""
    assert "package.module:Class" in messages_of({"others": [{"name": "x", "type": "a/b.py:C"}]})[0]


def test_the_caller_decides_which_types_are_known():
    """Types of installed packages are known to the caller alone."""
    assert entries_of({"rocket": {"fuel": 1}}, known_types={"rocket"})[0].configuration == {"fuel": 1}
    assert messages_of({"valkyrie": {}}, known_types={"rocket"})[0].endswith("Known plugin types: rocket")


@pytest.mark.parametrize("key", ["percentage-sampler", "percentage_sampler", "PercentageSampler"])
def test_a_short_entry_is_one_plugin_of_that_type(key: str):
    """`enabled` and `priority` are the entry's, everything else is the plugin's configuration."""
    (entry,) = entries_of({key: {"Enabled": False, "priority": 7, "sampling_rate": 0.5}})
    assert (entry.name, entry.enabled, entry.priority) == ("percentage-sampler", False, 7)
    assert entry.configuration == {"sampling_rate": 0.5}


def test_short_entries_keep_their_order_after_the_long_ones():
    """The order of the file is the order of the entries."""
    plugins = {"valkyrie": {}, "http": {}, "others": [{"name": "x", "type": "a:B"}], "local": {}}
    assert [entry.name for entry in entries_of(plugins)] == ["x", "valkyrie", "http", "local"]


def test_a_name_is_unique_over_all_kinds():
    """The second one is refused and the first one named."""
    messages = messages_of({"samplers": [{"name": "local"}], "runners": [{"name": "local"}], "local": {}})
    assert messages == [
        "/plugins/runners/0/name: the name 'local' is taken already by /plugins/samplers/0",
        "/plugins/local: the name 'local' is taken already by /plugins/samplers/0",
    ]


@pytest.mark.parametrize("name", ["health", "system", "events", "", "a b", "-a", "a/b", "x" * 129])
def test_names_that_cannot_be_ids_are_refused(name: str):
    """Reserved words and characters that an address does not take are no names."""
    assert any(
        "/plugins/others/0/name" in message for message in messages_of({"others": [{"name": name, "type": "a:B"}]})
    )


def test_a_kind_in_the_wrong_list_is_refused():
    """A validator is not a sampler."""
    (message,) = messages_of({"samplers": [{"name": "percentage-sampler"}, {"name": "local", "type": "validator"}]})
    assert message == "/plugins/samplers/1/type: a validator does not belong under `samplers`"


def test_what_is_inside_a_configuration_stays_as_it_is():
    """Not one key of a plugin's own is respelt, at any depth."""
    inside = {"ApiUrl": {"Enabled": [{"Name": None}]}}
    (entry,) = entries_of({"Others": [{"Name": "x", "Type": "a:B", "Configuration": inside, "Metadata": inside}]})
    assert entry.configuration == entry.metadata == inside


def test_two_spellings_of_one_key_are_refused():
    """Neither wins silently."""
    assert "two spellings" in messages_of({"enabled": True, "Enabled": False})[0]


def test_two_short_entries_of_one_type_are_refused():
    """The first one is named as it stands in the file."""
    (message,) = messages_of({"percentage-sampler": {}, "PercentageSampler": {}})
    assert message.endswith("the name 'percentage-sampler' is taken already by /plugins/percentage-sampler")


@pytest.mark.parametrize("mode", ["record", "reject", "fix"])
def test_what_follows_an_objection_is_the_entrys_in_both_forms(mode: str):
    """Long and short, and in PascalCase."""
    (long,) = entries_of({"Validators": [{"Name": "expected-output", "OnFail": mode}]})
    (short,) = entries_of({"expected-output": {"on_fail": mode, "mode": "exact"}})
    assert (long.on_fail, short.on_fail, short.configuration) == (mode, mode, {"mode": "exact"})


def test_a_consequence_that_there_is_not_is_refused_with_what_may_be_meant():
    """In the long form and in the short one, where it stands."""
    wanted = "`on_fail` must be 'record', 'reject' or 'fix', and is the text 'rejct'; did you mean 'reject'?"
    assert messages_of({"validators": [{"name": "latency-budget", "on_fail": "rejct"}]}) == [
        f"/plugins/validators/0/on_fail: {wanted}"
    ]
    assert messages_of({"latency-budget": {"on_fail": "rejct"}}) == [f"/plugins/latency-budget/on_fail: {wanted}"]


def test_only_validators_have_consequences():
    """A sampler has no verdict."""
    (message,) = messages_of({"samplers": [{"name": "percentage-sampler", "on_fail": "reject"}]})
    assert message.startswith("/plugins/samplers/0/on_fail: `on_fail` is for validators")


def test_a_policy_that_there_is_not_is_refused_with_what_may_be_meant():
    """The host's and a task's."""
    tasks = {"a": {"program": "m:f", "validation_policy": "any-one"}}
    with pytest.raises(ConfigurationError) as caught:
        config_from_mapping({"validation": {"policy": "first-fail"}, "tasks": tasks})
    host, task = sorted(caught.value.problems, key=lambda problem: problem.pointer, reverse=True)
    assert (host.pointer, task.pointer) == ("/validation/policy", "/tasks/a/validation_policy")
    assert host.message.endswith("and is the text 'first-fail'; did you mean 'first-failure'?")
    assert "must be 'all', 'any', 'first-failure' or 'weighted'" in task.message
