"""How long the Valkyrie runner waits between two attempts to connect."""

from hypothesis import given
from hypothesis import strategies as st

from hotplane.builtin.runners.valkyrie.station import back_off

CHANCE = st.floats(0, 1, exclude_max=True)


def test_the_wait_doubles_up_to_its_limit():
    """Without jitter's luck: 0.1, 0.2, 0.4 s and so on, at most 5 s."""
    waits = [back_off(failures, 0.2, 10.0, 0.0) for failures in range(9)]
    assert waits == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


@given(st.integers(1, 10**9), CHANCE)
def test_the_wait_is_never_without_bounds(failures: int, chance: float):
    """However long an outage lasts: at least half of the shortest wait, at most the longest."""
    assert 0.05 <= back_off(failures, 0.1, 5.0, chance) <= 5.0


@given(st.integers(1, 100), CHANCE, CHANCE)
def test_hosts_do_not_come_back_in_step(failures: int, one: float, other: float):
    """The jitter spreads a wait over its upper half."""
    waits = sorted((back_off(failures, 0.1, 5.0, one), back_off(failures, 0.1, 5.0, other)))
    assert waits[1] <= 2 * waits[0]
