"""A handler takes the event types that its configuration names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hotplane.builtin import load_builtin
from hotplane.builtin.webhooks.choosing import chosen_types
from hotplane.plugins import ALL_EVENTS
from hotplane.records import EventType

SETTINGS: dict[str, dict[str, Any]] = {
    "http": {"url": "https://example.com", "secrets": ["whsec_" + "A" * 32]},
    "slack": {"slack_webhook_url": "https://example.com"},
    "teams": {"teams_webhook_url": "https://example.com"},
    "email": {"host": "example.com", "sender": "a@example.com", "recipients": ["b@example.com"]},
    "file": {"directory": Path("/tmp")},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_handler_supports_what_its_configuration_names(name: str) -> None:
    """All types by default; two handlers of a class do not share the choice."""
    kind = load_builtin(f"{name}-webhook-handler")
    chosen: Any = kind(kind.Config.model_validate({**SETTINGS[name], "events": ["plugin.failed", "batch.*"]}))
    everything: Any = kind(kind.Config.model_validate(SETTINGS[name]))
    assert chosen.supported_events == {EventType.PLUGIN_FAILED, EventType.BATCH_FINISHED}
    assert everything.supported_events == ALL_EVENTS


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("events", [["plugin.faild"], [], ["plug*"], ["plugin"], [".*"], ["*.failed"]])
def test_an_event_type_that_does_not_exist_is_refused(name: str, events: list[str]) -> None:
    """Before anything is stored."""
    kind = load_builtin(f"{name}-webhook-handler")
    with pytest.raises(ValidationError):
        kind.Config.model_validate({**SETTINGS[name], "events": events})


def test_a_misspelt_type_gets_a_suggestion() -> None:
    """The closest one."""
    with pytest.raises(ValueError, match=r"no event type 'plugin\.faild'; did you mean 'plugin\.failed'"):
        chosen_types(["plugin.faild"])


def test_a_group_is_what_begins_alike() -> None:
    """And `*` is everything."""
    assert chosen_types(["program.execution.*"]) == {
        EventType.PROGRAM_EXECUTION_COMPLETED,
        EventType.PROGRAM_EXECUTION_FAILED,
        EventType.PROGRAM_EXECUTION_TIMEOUT,
    }
    assert chosen_types(["*"]) == ALL_EVENTS
