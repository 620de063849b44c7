"""Which plugins fit, and in what order they start."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.host.compatibility import Candidate, dependents_of, host_problem, requirement_problem, start_order
from hotplane.records import PluginMetadata


def plugin(name: str, *requires: str, version: str = "1.0", priority: int = 0, host: str = "") -> Candidate:
    """Return a candidate of the type `name`."""
    return Candidate(PluginMetadata(name=name, version=version, requires=requires, requires_host=host), priority)


def plugins(*candidates: Candidate) -> dict[str, Candidate]:
    """Return candidates by id, each called like its type."""
    return {candidate.metadata.name: candidate for candidate in candidates}


@pytest.mark.parametrize(
    ("wanted", "host", "fits"),
    [
        ("", "0.1.0", True),
        (">=0.1", "0.1.0", True),
        (">=0.1", "0.2.0rc1", True),
        ("==0.1.*", "0.2.0", False),
        (">=0.1,<0.2", "0.2.0", False),
    ],
)
def test_host_versions(wanted: str, host: str, fits: bool) -> None:
    """`requires_host` is a PEP 440 specifier that takes prereleases too."""
    assert (host_problem(wanted, host) is None) == fits


def test_host_sentences() -> None:
    """A host that does not fit is named with what was wanted, and so is a wrong specifier."""
    assert host_problem(">=2", "0.1.0") == "it needs a host >=2, and this one is 0.1.0"
    assert host_problem("new", "0.1.0") == "`requires_host` 'new' is not a PEP 440 specifier"


@pytest.mark.parametrize(
    ("requirement", "problem"),
    [
        ("other", None),
        ("other>=1,<2", None),
        ("other[x]>=1", "has extras"),
        ("other; python_version > '3'", "has a marker"),
        ("other @ https://example.org/x.whl", "has a URL"),
        (">=1", "is not a PEP 508 name with versions"),
    ],
)
def test_requirements(requirement: str, problem: str | None) -> None:
    """Only names with versions are requirements; the rest is refused with the reason."""
    found = requirement_problem(requirement)
    assert found is None if problem is None else problem in (found or "")


def test_dependencies_first_then_priority_then_name() -> None:
    """Order is by need first, then by priority, then by id."""
    known = plugins(plugin("c"), plugin("b"), plugin("z", priority=9), plugin("top", "low", priority=99), plugin("low"))
    assert start_order(known, "1").order == ("z", "b", "c", "low", "top")


def test_every_fitting_instance_starts_before() -> None:
    """A requirement is over types: all instances that fit come first."""
    known = {"one": plugin("store"), "two": plugin("store"), "a": plugin("user", "store")}
    assert start_order(known, "1").order == ("one", "two", "a")


def test_names_are_compared_as_pep_503_says() -> None:
    """`My_Store` and `my-store` are one name, and a prerelease satisfies a requirement."""
    known = plugins(plugin("my-store", version="2.0b1"), plugin("a", "My_Store>=1"))
    assert start_order(known, "1").order == ("my-store", "a")


@pytest.mark.parametrize(
    ("requirement", "reason"),
    [
        ("gone>=1", "it requires the plugin 'gone', which is missing"),
        ("store>=2", "it requires the plugin 'store' >=2, and 1.0 is too old"),
        ("store<1", "it requires the plugin 'store' <1, and 1.0 is the wrong version"),
        ("store[x]", "`requires` 'store[x]' has extras, which means nothing for plugins"),
    ],
)
def test_unmet_requirements(requirement: str, reason: str) -> None:
    """What is missing, too old or unusable is named, and the others start."""
    plan = start_order(plugins(plugin("store"), plugin("a", requirement)), "1")
    assert (plan.order, plan.refused) == (("store",), {"a": reason})


def test_refusal_spreads() -> None:
    """A plugin whose dependency is refused is refused as well, and says for whose sake."""
    plan = start_order(plugins(plugin("a", host=">9"), plugin("b", "a"), plugin("c", "b")), "1")
    assert plan.order == ()
    assert plan.refused["b"] == "it requires 'a', and 'a' cannot start"
    assert plan.refused["c"] == "it requires 'b', and 'b' cannot start"


def test_another_instance_is_enough() -> None:
    """A requirement is met while one instance of the type can start."""
    known = {"bad": plugin("store", host=">9"), "good": plugin("store"), "a": plugin("user", "store")}
    assert start_order(known, "1").order == ("good", "a")


def test_cycles_are_spelled_out() -> None:
    """A cycle is named link by link, and so is one that a plugin only waits for."""
    plan = start_order(
        plugins(plugin("a", "b"), plugin("b", "c"), plugin("c", "a"), plugin("d", "a"), plugin("e")), "1"
    )
    assert plan.order == ("e",)
    assert plan.refused["a"] == "it is part of a cycle of requirements: a → b → c → a"
    assert plan.refused["d"] == "it waits for a cycle of requirements: a → b → c → a"


def test_self_requirement_is_a_cycle() -> None:
    """A plugin that requires itself is told so."""
    refused = start_order(plugins(plugin("a", "a")), "1").refused
    assert refused == {"a": "it is part of a cycle of requirements: a → a"}


def test_dependents() -> None:
    """Those who need a plugin directly or through others are found; those whom another instance serves are not."""
    known = plugins(plugin("a"), plugin("b", "a"), plugin("c", "b"), plugin("d"))
    assert dependents_of("a", known) == ("b", "c")
    assert dependents_of("a", known | {"second": plugin("a")}) == ()


def test_unmet_before_is_no_dependent() -> None:
    """A plugin that misses something anyway does not depend on an unrelated one."""
    assert dependents_of("a", plugins(plugin("a"), plugin("b", "gone"))) == ()


graphs = st.dictionaries(st.sampled_from("abcdefgh"), st.sets(st.sampled_from("abcdefghx"), max_size=3))


@given(graphs)
def test_order_is_complete_and_right(graph: dict[str, set[str]]) -> None:
    """Every plugin is either started after all that it needs, or refused with a reason."""
    plan = start_order(plugins(*(plugin(name, *sorted(needs)) for name, needs in graph.items())), "1")
    assert sorted([*plan.order, *plan.refused]) == sorted(graph)
    for place, name in enumerate(plan.order):
        assert graph[name] <= set(plan.order[:place])
