"""`docs/reference/webhooks.md` tells the truth: its examples work, and its tables have the fields that there are."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from hotplane.builtin import load_builtin
from hotplane.builtin.webhooks.templates import Templates
from hotplane.records import Event, EventType

TEXT = (Path(__file__).parents[4] / "docs" / "reference" / "webhooks.md").read_text()
HANDLERS = ["email", "file", "http", "slack", "teams"]


def block(language: str) -> str:
    """Return the first block of a language."""
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found
    return found[1]


def test_the_configuration_of_the_page_is_one() -> None:
    """Every handler in it takes what is written for it."""
    entries: list[dict[str, Any]] = yaml.safe_load(block("yaml"))["plugins"]["webhook_handlers"]
    for entry in entries:
        load_builtin(entry.get("type", entry["name"])).Config.model_validate(entry["configuration"])
    assert len(entries) == 2


def test_the_template_of_the_page_says_something() -> None:
    """With the filters that it shows."""
    payload: Any = {"error": {"message": "x" * 300}, "validations": [{"message": "too long"}]}
    event = Event(id="1", type=EventType.VALIDATION_FAILED, time=datetime.now(UTC), task_id="spam", payload=payload)
    text = Templates({"*": block("jinja")}).render(event)
    assert text is not None
    assert text.startswith("spam failed: xxx")
    assert "...\n- too long\n" in text


@pytest.mark.parametrize("name", HANDLERS)
def test_every_field_is_in_a_table(name: str) -> None:
    """A field that is added is described, too."""
    section = TEXT[TEXT.index(f"## `{name}-webhook-handler`") if name != "teams" else TEXT.index("## `slack-") :]
    for field in load_builtin(f"{name}-webhook-handler").Config.model_fields:
        assert re.search(rf"^\| .*`{field}`.* \|", section, re.MULTILINE), field


def test_every_filter_is_named() -> None:
    """And no other."""
    from hotplane.builtin.webhooks.sandbox import Sandbox

    named = TEXT[TEXT.index("and the filters") : TEXT.index("There are no calls")]
    assert set(re.findall(r"`([a-z]+)`", named)) == set(Sandbox(str).filters) - {"d", "limited", "added", "joined"}
