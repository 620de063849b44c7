"""When a failed delivery is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hotplane.events.schedule import delay_after
from hotplane.events.settings import DeliverySettings

DEFAULT = DeliverySettings()
chances = st.floats(0, 1, exclude_max=True)


@given(attempts=st.integers(1, 7), chance=chances)
def test_each_time_is_that_of_the_schedule_within_a_fifth(attempts: int, chance: float) -> None:
    """5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h, ±20 %."""
    base = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)[attempts - 1]
    delay = delay_after(DEFAULT, attempts, chance=chance)
    assert delay is not None
    assert 0.8 * base <= delay <= 1.2 * base


def test_the_jitter_reaches_both_ends() -> None:
    """The lowest chance is a fifth below, the highest nearly a fifth above."""
    assert delay_after(DEFAULT, 2, chance=0.0) == pytest.approx(240)
    assert delay_after(DEFAULT, 2, chance=0.999999) == pytest.approx(360, rel=1e-3)


def test_after_the_last_attempt_there_is_none() -> None:
    """Seven waits make eight attempts; the eighth failure is the end."""
    assert delay_after(DEFAULT, 8, chance=0.5) is None
    assert delay_after(DeliverySettings(schedule_seconds=()), 1, chance=0.5) is None


@given(attempts=st.integers(1, 7), chance=chances, asked=st.floats(0, 1e9))
def test_retry_after_is_obeyed_up_to_its_bound_and_shortens_nothing(attempts: int, chance: float, asked: float) -> None:
    """Never before the schedule, never before what was asked for, up to an hour; never later than the later of both."""
    plain = delay_after(DEFAULT, attempts, chance=chance)
    delay = delay_after(DEFAULT, attempts, chance=chance, retry_after=asked, throttled=True)
    assert plain is not None
    assert delay == max(plain, min(asked, 3_600.0))


def test_a_busy_receiver_gets_a_minute() -> None:
    """A 429 or a time-out at the first attempt waits a minute, not five seconds; a longer schedule holds."""
    assert delay_after(DEFAULT, 1, chance=0.5, throttled=True) == 60
    assert delay_after(DEFAULT, 2, chance=0.5, throttled=True) == 300


def test_a_negative_retry_after_is_nonsense() -> None:
    """It counts as none."""
    assert delay_after(DEFAULT, 1, chance=0.5, retry_after=-1.0) == 5


def test_settings_of_a_handler_win_key_by_key() -> None:
    """What its own entry does not name is as for all handlers."""
    common = DeliverySettings(concurrency=3, timeout_seconds=9)
    merged = DeliverySettings(concurrency=5).over(common)
    assert (merged.concurrency, merged.timeout_seconds) == (5, 9)


@pytest.mark.parametrize("wrong", [{"jitter": 1.0}, {"concurrency": 0}, {"order": "x"}, {"schedule_seconds": [-1]}])
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, object]) -> None:
    """Bounds hold before anything starts."""
    with pytest.raises(ValidationError):
        DeliverySettings.model_validate(wrong)
