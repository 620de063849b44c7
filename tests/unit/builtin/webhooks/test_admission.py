"""What handlers that came by the API may not be pointed at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from hotplane.builtin.webhooks.admission import WebhooksSettings, places_of, trespasses
from hotplane.builtin.webhooks.email import EmailConfig
from hotplane.builtin.webhooks.file import FileConfig
from hotplane.builtin.webhooks.http import HttpWebhookConfig

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
URL = "https://example.com/x"


def config(**fields: Any) -> HttpWebhookConfig:
    """Return a handler's configuration."""
    return HttpWebhookConfig.model_validate({"url": URL, "secrets": [SECRET], **fields})


def pointers(asked: BaseModel, written: Mapping[str, object], **settings: Any) -> list[str]:
    """Return where a configuration trespasses."""
    return [problem.pointer for problem in trespasses(asked, written, WebhooksSettings(**settings))]


def test_what_is_written_down_is_free() -> None:
    """A URL and secrets as texts read nothing of the machine."""
    assert pointers(config(), {}) == []


def test_variables_and_files_have_to_be_listed(tmp_path: Path) -> None:
    """By a pattern, and by a folder above."""
    asked = config(headers={"a": {"env": "HOOK_A"}, "b": {"file": str(tmp_path / "b")}})
    assert pointers(asked, {}) == ["/headers/a", "/headers/b"]
    assert pointers(asked, {}, variables=["HOOK_*"], secret_directories=[tmp_path]) == []


def test_what_the_operator_wrote_is_free_where_the_operator_sends() -> None:
    """And nowhere else: a token must not follow to another server."""
    written = {"url": URL, "secrets": [SECRET], "headers": {"a": {"env": "TOKEN"}}}
    headers = {"a": {"env": "TOKEN"}}
    assert pointers(config(headers=headers), written) == []
    assert pointers(config(headers=headers, url="https://elsewhere.example.com/"), written) == ["/headers/a"]


def test_folders_have_to_be_listed_or_written(tmp_path: Path) -> None:
    """Wherever links lead."""
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "out").symlink_to("/")
    asked = FileConfig(directory=tmp_path / "inside")
    assert pointers(asked, {}) == ["/directory"]
    assert pointers(asked, {"directory": str(tmp_path / "inside")}) == []
    assert pointers(asked, {}, directories=[tmp_path]) == []
    assert pointers(FileConfig(directory=tmp_path / "inside" / "out"), {}, directories=[tmp_path]) == ["/directory"]


def test_every_server_of_a_configuration_is_known() -> None:
    """Of a URL and of a mail server."""
    mail = EmailConfig(host="mail.example.com", sender="a@example.com", recipients=("b@example.com",))
    assert places_of(config()) == {"/url": ("example.com", 443)}
    assert places_of(mail) == {"/host": ("mail.example.com", 587)}


@pytest.mark.parametrize("folder", ["logs", "/var/../etc"])
def test_folders_are_listed_by_absolute_paths(folder: str) -> None:
    """Others mean another place tomorrow."""
    with pytest.raises(ValidationError, match="absolute"):
        WebhooksSettings.model_validate({"directories": [folder]})
