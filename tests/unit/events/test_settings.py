"""What can be set about events."""

from __future__ import annotations

from hotplane.config.reference import render
from hotplane.events import EventsSettings


def test_a_key_of_the_breaker_changes_that_key_alone() -> None:
    """The others keep the defaults of destinations, which are not those of every breaker."""
    usual = EventsSettings().breaker
    changed = EventsSettings.model_validate({"breaker": {"open_max_seconds": 30.0}}).breaker
    assert changed == usual.model_copy(update={"open_max_seconds": 30.0})


def test_the_reference_has_the_defaults_that_hold() -> None:
    """Those of the section, where it has its own."""
    page = render()
    section = page[page.index("### `events.breaker`") :]
    for name in ("window_calls", "minimum_calls", "half_open_permits"):
        row = next(line for line in section.splitlines() if line.startswith(f"| `{name}` "))
        assert f"| `{getattr(EventsSettings().breaker, name)}` |" in row
