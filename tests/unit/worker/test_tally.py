"""Counting calls, and telling the counts."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from hotplane.worker.tally import SUCCESS, Door, Tally, family

_LINE = re.compile(r'[a-z_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? [0-9.e+-]+')


@given(st.lists(st.floats(min_value=0, max_value=1000)))
def test_buckets_are_cumulative_and_end_in_the_count(durations: list[float]):
    """Each bucket holds what took at most its bound, and the last one everything."""
    tally = Tally()
    for seconds in durations:
        tally.count(Door.HTTP, SUCCESS, seconds)
    buckets = [line.split('le="')[1].split('"} ') for line in tally.lines() if 'bucket{door="http"' in line]
    for bound, number in buckets:
        assert int(number) == sum(seconds <= float(bound) for seconds in durations)
    assert f'hotplane_worker_call_seconds_count{{door="http"}} {len(durations)}' in list(tally.lines())


def test_every_line_is_one_of_the_format():
    """Samples have a name, labels in quotes, and a number; each family begins with its help and type."""
    tally = Tally()
    tally.count(Door.VALKYRIE, "program-error", 0.3)
    lines = [*tally.lines(), *family("hotplane_worker_ready", "gauge", "Whether it is.", 1)]
    comments = [line.split()[1:3] for line in lines if line.startswith("#")]
    assert all(_LINE.fullmatch(line) for line in lines if not line.startswith("#"))
    assert [word for word, _ in comments] == ["HELP", "TYPE"] * 3


def test_outcomes_are_counted_by_door():
    """What failed at one door did not fail at the other."""
    tally = Tally()
    tally.count(Door.VALKYRIE, "overloaded", 0.0)
    assert (tally.calls(Door.VALKYRIE, "overloaded"), tally.calls(Door.HTTP, "overloaded")) == (1, 0)
