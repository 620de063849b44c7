"""Knees and limits, as `growth` finds them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.growth_page import knee, limit_of, write
from benchmarks.growth_work import Figure, Job


def figure(times: int, microseconds: float, *, loop: float = 20.0, commit: float = 10.0) -> Figure:
    """Return a figure of the execute path."""
    job = Job(case="execute", axis="work", times=times, units=times * 10, plugins=1)
    return Figure(
        job=job,
        microseconds=microseconds,
        cpu=microseconds,
        memory=1.0,
        loop=loop,
        writer=5.0,
        commit=commit,
        queued=0.0,
    )


def test_no_knee_where_cost_stays() -> None:
    """A cost that falls, or grows by less than a quarter, has no knee."""
    assert knee([figure(1, 100.0), figure(10, 80.0), figure(100, 99.0)]) is None


def test_knee_is_the_first_dear_step() -> None:
    """The first step that costs a quarter more than the cheapest before it is the knee."""
    assert knee([figure(1, 100.0), figure(10, 80.0), figure(100, 101.0)]) == 100


def test_busy_thread_is_what_limits() -> None:
    """What is busy most of the time limits; where nothing is, that is said."""
    assert limit_of(figure(1, 100.0, loop=92.0)) == "the CPU time of the event loop (92 %)"
    assert limit_of(figure(1, 100.0, commit=30.0)) == "nothing alone, most of all the disk, in COMMIT (30 %)"


def test_page_keeps_its_words_around_the_figures(tmp_path: Path) -> None:
    """New figures take the place of old ones, and nothing else changes."""
    page = tmp_path / "cost.md"
    page.write_text("before\n<!-- figures: written by `make growth` -->\nold\n<!-- end of the figures -->\nafter\n")
    figures = [figure(1, 100.0), figure(10, 123.0)]
    write(figures, tmp_path)
    places = write(figures, tmp_path)
    text = page.read_text()
    assert text.startswith("before\n<!--")
    assert text.endswith("-->\nafter\n")
    assert "old" not in text
    assert "100 to 123 µs an execution" in text
    assert all(place.exists() for place in places)
