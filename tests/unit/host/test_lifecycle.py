"""The lifecycle machine: the five states, and nothing but the allowed steps."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.errors import IllegalTransition
from hotplane.host import TRANSITIONS, Lifecycle, Transition
from hotplane.records import PluginState

WAY_TO: dict[PluginState, tuple[PluginState, ...]] = {
    PluginState.UNLOADED: (),
    PluginState.LOADING: (PluginState.LOADING,),
    PluginState.ACTIVE: (PluginState.LOADING, PluginState.ACTIVE),
    PluginState.UNLOADING: (PluginState.LOADING, PluginState.ACTIVE, PluginState.UNLOADING),
    PluginState.FAILED: (PluginState.LOADING, PluginState.FAILED),
}
ALLOWED = {
    ("unloaded", "loading"),
    ("loading", "active"),
    ("loading", "failed"),
    ("active", "unloading"),
    ("active", "failed"),
    ("unloading", "unloaded"),
    ("unloading", "failed"),
    ("failed", "loading"),
    ("failed", "unloading"),
}


@pytest.mark.parametrize("wanted", PluginState)
@pytest.mark.parametrize("current", PluginState)
def test_every_step_is_allowed_or_refused_with_both_names(current: PluginState, wanted: PluginState) -> None:
    """Of the 25 pairs of states nine are steps; every other one is refused and changes nothing."""
    life = Lifecycle("p")
    for state in WAY_TO[current]:
        life.to(state)
    if (current, wanted) in ALLOWED:
        life.to(wanted, "because")
        assert (life.state, life.reason) == (wanted, "because")
        return
    with pytest.raises(IllegalTransition) as refusal:
        life.to(wanted)
    assert f"'{current}'" in str(refusal.value)
    assert f"'{wanted}'" in str(refusal.value)
    assert life.state is current


@given(st.lists(st.sampled_from(list(PluginState)), max_size=40))
def test_any_walk_stays_on_the_map(walk: list[PluginState]) -> None:
    """Whatever is asked for, the history is a chain of allowed steps, each told once."""
    told: list[Transition] = []
    life = Lifecycle("p", on_transition=told.append)
    for wanted in walk:
        if wanted in TRANSITIONS[life.state]:
            life.to(wanted)
        else:
            with pytest.raises(IllegalTransition):
                life.to(wanted)
    assert list(life.history) == told[-50:]
    assert all(step.after in TRANSITIONS[step.before] for step in told)
    assert all(a.after is b.before for a, b in pairwise(told))


def test_no_state_is_a_dead_end() -> None:
    """From every state there is a way back to active."""
    for start in PluginState:
        reached, frontier = {start}, [start]
        while frontier:
            frontier = [after for state in frontier for after in TRANSITIONS[state] if after not in reached]
            reached |= set(frontier)
        assert PluginState.ACTIVE in reached
