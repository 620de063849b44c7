"""What is said of a plugin's configuration that does not fit."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError, field_validator

from hotplane.host.misfits import misfits
from hotplane.plugins import Config


class Settings(Config):
    url: str
    secrets: Annotated[tuple[Annotated[str, Field(pattern="^whsec_")], ...], Field(min_length=1)]

    @field_validator("url")
    @classmethod
    def _check(cls, url: str) -> str:
        if "@" in url:
            raise ValueError("credentials do not belong into a URL")
        return url


def told(configuration: dict[str, Any]) -> list[str]:
    """Return the problems of a configuration."""
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(configuration)
    return [str(each) for each in misfits(caught.value, Settings)]


FITTING: dict[str, Any] = {"url": "https://example.com", "secrets": ["whsec_x"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"secret": []}, "there is no key `secret`; did you mean 'secrets'? (at /secret)"),
        ({"zzz": 1}, "there is no key `zzz`; known keys: secrets, url (at /zzz)"),
        ({"url": "http://me:pass@example.com"}, "credentials do not belong into a URL (at /url)"),
        ({"secrets": []}, "it needs at least 1, and has 0 (at /secrets)"),
        ({"secrets": "whsec_x"}, "it must be a list (at /secrets)"),
    ],
)
def test_a_problem_says_what_to_mend(change: dict[str, Any], message: str):
    """In words of the configuration, not of the library that reads it."""
    assert told(FITTING | change) == [message]


def test_what_is_missing_is_named():
    """By its key."""
    assert told({}) == ["`url` is missing (at /url)", "`secrets` is missing (at /secrets)"]


def test_a_wrong_item_is_one_problem():
    """The list that has no right ones left is not called too short besides."""
    [problem] = told(FITTING | {"secrets": ["TOP-SECRET"]})
    assert problem.endswith("(at /secrets/0)")
    assert "TOP-SECRET" not in problem
