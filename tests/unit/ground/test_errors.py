"""Every error says what is wrong and how to mend it, with a code of its own."""

from __future__ import annotations

import re

import pytest

from hotplane import errors
from hotplane.errors import HotplaneError, Problem, UnknownTask


def everything() -> list[type[HotplaneError]]:
    """Return every error class of the room."""
    found = (getattr(errors, name) for name in errors.__all__)
    return [each for each in found if isinstance(each, type) and issubclass(each, HotplaneError)]


def test_codes_are_stable_words_and_belong_to_one_class() -> None:
    """A program can branch on a code."""
    codes = [each.code for each in everything()]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code) for code in codes)


def test_every_class_has_a_message_and_stands_in_the_tree() -> None:
    """The docstring is the message; the module's docstring draws the tree."""
    tree = errors.__doc__ or ""
    for each in everything():
        assert each.__doc__, each
        assert re.search(rf"\b{each.__name__}\b", tree), f"{each.__name__} is missing in the tree"


def test_an_unknown_name_gets_a_suggestion() -> None:
    """The offender is an attribute, the closest name a hint."""
    error = UnknownTask("spam-detectr", ["spam-detector", "other"])
    assert error.task_id == "spam-detectr"
    assert "; did you mean 'spam-detector'?" in str(error)
    assert "There is no task 'x'." in str(UnknownTask("x"))


def test_a_problem_reads_as_one_line() -> None:
    """File, line, message, pointer."""
    assert str(Problem("it is wrong", "/a", "x.yaml", 3)) == "x.yaml:3: it is wrong (at /a)"
    assert str(Problem("it is wrong")) == "it is wrong"


def test_an_error_is_shown_by_the_place_to_import_it_from() -> None:
    """The file in which a class stands is nobody's business."""
    assert {getattr(errors, name).__module__ for name in errors.__all__} == {"hotplane.errors"}


@pytest.mark.parametrize("reason", ["it has no class", "The file is gone.", "wait …", "wait..."])
def test_a_reason_that_is_a_sentence_brings_its_own_full_stop(reason: str) -> None:
    """A message about a message does not end in two."""
    message = str(errors.PluginStartFailed("mine", reason))
    assert message == f"The plugin 'mine' did not start: {reason.removesuffix('.')}."
