"""Settings are refused where they contradict themselves, and the secret stays hidden."""

import pytest
from pydantic import ValidationError

from hotplane.valkyrie import ClientSettings, InvalidSecret, ServerSettings


def test_two_secrets_are_one_too_many():
    """A secret comes from a file or from memory."""
    with pytest.raises(ValidationError, match="not both"):
        ClientSettings.model_validate({"secret": "x" * 20, "secret_file": "/x"})


def test_a_short_secret_is_refused_when_it_is_used():
    """Also one that came from memory."""
    with pytest.raises(InvalidSecret, match="fewer than 16"):
        ServerSettings.model_validate({"secret": "short"}).read_secret()


def test_the_secret_is_not_in_the_representation():
    """Printing settings shows no secret."""
    settings = ClientSettings.model_validate({"secret": "a secret of 24 bytes ..."})
    assert "24 bytes" not in repr(settings)
    assert settings.read_secret() == b"a secret of 24 bytes ..."


def test_unknown_settings_are_refused():
    """A misspelt limit does not pass silently."""
    with pytest.raises(ValidationError, match="windw"):
        ServerSettings.model_validate({"windw": 3})
