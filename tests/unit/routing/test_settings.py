"""The settings of a breaker."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hotplane.routing import ROUTE_BREAKER, BreakerSettings, RunnerBreakerSettings


def test_the_defaults_are_usable() -> None:
    """Settings without arguments are valid, and they are those that the documentation names."""
    settings = BreakerSettings()
    assert (settings.failure_rate, settings.minimum_calls, settings.open_seconds) == (0.5, 20, 5.0)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"minimum_calls": 11, "window_calls": 10}, "minimum_calls"),
        ({"open_seconds": 61.0}, "open_max_seconds"),
        ({"failure_rate": 0.0}, "failure_rate"),
        ({"slow_rate": 1.1}, "slow_rate"),
        ({"open_jitter": 1.0}, "open_jitter"),
        ({"half_open_permits": 0}, "half_open_permits"),
        ({"permit_seconds": float("inf")}, "permit_seconds"),
        ({"open_seconds": float("nan")}, "open_seconds"),
        ({"window": "forever"}, "window"),
        ({"threshold": 5}, "threshold"),
    ],
)
def test_what_cannot_work_is_refused(wrong: dict[str, object], word: str) -> None:
    """Each impossible setting is refused with its name."""
    with pytest.raises(ValidationError, match=word):
        BreakerSettings.model_validate(wrong)


def test_a_time_window_may_hold_more_than_a_count_window() -> None:
    """The size of the count window does not bound the minimum volume of a time window."""
    assert BreakerSettings(window="time", minimum_calls=500).minimum_calls == 500


def test_a_runners_breaker_is_the_routes_own_where_nothing_is_set() -> None:
    """The settings of the configuration and those of the code are the same."""
    assert RunnerBreakerSettings().settings() == ROUTE_BREAKER
