"""Problem documents."""

from __future__ import annotations

import pytest

from hotplane import errors
from hotplane.api import refusals
from hotplane.api.problems import document_of, headers_of, status_of, title_of
from hotplane.api.routes.system import problem_types
from hotplane.errors import HotplaneError, Problem


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.UnknownTask, 404),
        (errors.DuplicateTask, 409),
        (errors.InvalidSchema, 422),
        (errors.InputRejected, 422),
        (errors.NotJson, 422),
        (errors.TooManyStuckThreads, 503),
        (errors.StorageSlow, 503),
        (errors.StorageFull, 507),
        (errors.StorageCorrupt, 500),
        (errors.PluginStartFailed, 409),
        (errors.PluginTimeout, 504),
        (refusals.BodyTooLarge, 413),
        (HotplaneError, 500),
    ],
)
def test_the_status_comes_from_the_nearest_ancestor(kind: type[HotplaneError], status: int) -> None:
    """Each kind of error has one status, wherever it is raised."""
    assert status_of(kind) == status


def test_a_new_kind_of_error_takes_after_its_parent() -> None:
    """A subclass needs no entry of its own."""

    class Special(errors.UnknownPlugin):
        """A special one."""

    assert status_of(Special) == 404


def test_every_code_is_used_once() -> None:
    """A code names one kind of problem, and a program may branch on it."""
    kinds = [
        kind
        for module in (errors, refusals)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, HotplaneError) and "code" in vars(kind)
    ]
    codes = [kind.code for kind in set(kinds)]
    assert len(codes) == len(set(codes))
    assert set(codes) <= problem_types().keys()


def test_pointers_are_relative_to_the_body() -> None:
    """What an error says of a part of the body is moved below that part; file and line are kept."""
    error = errors.InputRejected("t", [Problem("too short", "/a", "f.yaml", 3)], "e1")
    document = document_of(error, "/api/tasks/t/execute", below="/input")
    [detail] = document.errors
    assert (detail.pointer, detail.file, detail.line) == ("/input/a", "f.yaml", 3)
    assert (document.execution_id, document.instance) == ("e1", "/api/tasks/t/execute")


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (errors.BreakerOpen("b", "open", 2.2), b"3"),
        (errors.BreakerOpen("b", "forced-open", None), b"1"),
        (errors.ShuttingDown(), b"5"),
        (errors.RetryLater(7), b"7"),
    ],
)
def test_an_unavailable_service_says_when_to_come_back(error: HotplaneError, seconds: bytes) -> None:
    """Retry-After is in whole seconds, rounded up."""
    assert headers_of(error) == [(b"retry-after", seconds)]


def test_titles_are_readable() -> None:
    """The title is the code in words."""
    assert title_of("malformed-json") == "Malformed JSON"
