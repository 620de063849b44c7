"""Settings from environment variables."""

from __future__ import annotations

import pytest

from hotplane.config import apply_environment, config_from_mapping


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4000", 4000),
        ("true", True),
        ("", None),
        ("0.5", 0.5),
        ("no", "no"),
        ("a: b", "a: b"),
        ("*x #y", "*x #y"),
        ("postgresql://u:p#1@h/d", "postgresql://u:p#1@h/d"),
        ("[a, 1]", ["a", 1]),
        ("[::1]", "[::1]"),
    ],
)
def test_a_value_is_a_plain_scalar_or_a_list(text: str, value: object):
    """No character of a password or an address is taken for YAML."""
    assert apply_environment({}, {"HOTPLANE_A__B": text}) == {"a": {"b": value}}


def test_only_variables_with_a_section_and_a_key_are_settings():
    """Others with the prefix belong to somebody else."""
    environ = {"HOTPLANE_TOKEN": "x", "HOTPLANE_A__": "x", "HOTPLANE___B": "x", "OTHER_A__B": "x", "hotplane_a__b": "x"}
    assert apply_environment({}, environ) == {}


def test_what_is_laid_over_is_not_changed():
    """The mapping that came in stays as it was, at every depth."""
    before = {"a": {"b": {"c": 1}}}
    assert apply_environment(before, {"HOTPLANE_A__B__C": "2"}) == {"a": {"b": {"c": 2}}}
    assert before == {"a": {"b": {"c": 1}}}


def test_a_list_is_not_entered():
    """A key below something that is not a mapping is left alone."""
    assert apply_environment({"a": [1]}, {"HOTPLANE_A__B": "2"}) == {"a": [1]}


def test_a_short_plugin_entry_can_be_set():
    """The environment comes before the short form is written out."""
    config = config_from_mapping({}, environ={"HOTPLANE_PLUGINS__VALKYRIE__ENDPOINT": "tcp://x:1"}).config
    assert config.plugins.others[0].configuration == {"endpoint": "tcp://x:1"}
