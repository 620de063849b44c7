"""What an operator may write about storage."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from hotplane.storage import StorageSettings


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///relative.db", Path("relative.db")),
        ("sqlite:////var/absolute.db", Path("/var/absolute.db")),
        ("bare.db", Path("bare.db")),
        ("~/home.db", Path.home() / "home.db"),
        ("odd #%?name.db", Path("odd #%?name.db")),
        ("postgresql://server/database", None),
        ("postgres://server/database", None),
    ],
)
def test_an_address_names_a_file_or_a_server(url, path):
    """A bare path is SQLite; a server has no path."""
    assert StorageSettings(url=url).sqlite_path == path


@pytest.mark.parametrize("url", ["", ":memory:", "sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql://server/x"])
def test_an_address_that_cannot_work_is_refused(url):
    """A store in memory and another kind of database are errors of the configuration."""
    with pytest.raises(ValidationError):
        StorageSettings(url=url)


def test_a_refused_address_is_not_quoted():
    """A wrong address may hold a password."""
    with pytest.raises(ValidationError) as caught:
        StorageSettings(url="mysql://user:secret@server/x")
    assert "secret" not in str(caught.value)


def test_the_default_is_the_safest_level():
    """Without a word from the operator nothing acknowledged is lost in a power cut."""
    assert StorageSettings().synchronous == "FULL"
    assert StorageSettings().sqlite_path == Path("hotplane.db")


def test_unknown_settings_are_refused():
    """A misspelt key is an error."""
    with pytest.raises(ValidationError, match="grup_limit"):
        StorageSettings.model_validate({"grup_limit": 3})
