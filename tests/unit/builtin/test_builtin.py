"""The table of built-in types."""

import subprocess
import sys

import pytest

from hotplane.builtin import BUILTIN_TYPES, load_builtin
from hotplane.errors import UnknownType
from hotplane.plugins import kind_name, kind_of
from hotplane.plugins.checking import check_plugin_class

EXPECTED = {
    "local": ("runner", 0),
    "http": ("runner", 0),
    "valkyrie": ("runner", 0),
    "json-schema-validator": ("validator", 100),
    "percentage-sampler": ("sampler", 100),
    "time-based-sampler": ("sampler", 50),
    "error-rate-sampler": ("sampler", 80),
    "anomaly-sampler": ("sampler", 70),
    "always-on-failure": ("sampler", 90),
    "rate-limited": ("sampler", 60),
    "budget": ("sampler", 60),
    "expression-validator": ("validator", 80),
    "expected-output": ("validator", 90),
    "latency-budget": ("validator", 70),
    "console-webhook-handler": ("webhook-handler", 0),
    "email-webhook-handler": ("webhook-handler", 0),
    "file-webhook-handler": ("webhook-handler", 0),
    "http-webhook-handler": ("webhook-handler", 0),
    "slack-webhook-handler": ("webhook-handler", 0),
    "teams-webhook-handler": ("webhook-handler", 0),
}


def test_the_built_in_types_are_the_promised_ones():
    """Every type of this version is in the table, and no other."""
    assert set(BUILTIN_TYPES) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_built_in_type_is_a_plugin_of_its_name_kind_and_priority(name):
    """The class fits the contract and says of itself what the table says."""
    plugin = check_plugin_class(load_builtin(name))
    assert plugin.metadata.name == name
    assert plugin.metadata.description
    assert (kind_name(kind_of(plugin)), plugin.priority) == EXPECTED[name]


def test_an_unknown_type_is_refused_with_the_known_ones():
    """A misspelt name gets a suggestion."""
    with pytest.raises(UnknownType, match=r"did you mean 'local'\?"):
        load_builtin("locl")


def test_importing_the_table_imports_no_plugin():
    """What is not configured costs nothing."""
    script = "import hotplane.builtin, sys; print([m for m in sys.modules if m.startswith('hotplane.builtin.')])"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "[]\n"
