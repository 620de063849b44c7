"""The settings of programs: which modules the allow-list names."""

import pytest
from pydantic import ValidationError

from hotplane.programs import ProgramSettings


@pytest.mark.parametrize(
    ("pattern", "module", "allowed"),
    [
        ("examples.spam", "examples.spam", True),
        ("examples.spam", "examples.spam.model", True),
        ("examples.spam", "examples.spammer", False),
        ("examples.spam", "examples", False),
        ("mycompany.*", "mycompany.jobs", True),
        ("mycompany.*", "mycompany.jobs.mail", True),
        ("mycompany.*", "mycompany", False),
        ("mycompany.*", "mycompanyx.jobs", False),
        ("job?", "jobs", True),
        ("*", "anything.at.all", True),
        ("Spam", "spam", False),
    ],
)
def test_an_entry_allows_its_module_and_what_is_below_it(pattern, module, allowed):
    """A plain name covers its submodules, a pattern has to match the whole name, and case counts."""
    assert ProgramSettings(allow=(pattern,)).allows(module) is allowed


def test_nothing_is_allowed_unless_it_is_named():
    """The default allows no module at all."""
    assert not ProgramSettings().allows("json")


@pytest.mark.parametrize("entry", ["", "examples.spam:classify", "../spam", "spam egg", ".spam"])
def test_an_entry_that_cannot_be_a_module_is_refused(entry):
    """What could never match is a mistake of the operator and is reported as one."""
    with pytest.raises(ValidationError):
        ProgramSettings(allow=(entry,))


def test_unknown_settings_are_refused():
    """A misspelt key is not ignored."""
    with pytest.raises(ValidationError, match="max_thread"):
        ProgramSettings.model_validate({"max_thread": 3})
