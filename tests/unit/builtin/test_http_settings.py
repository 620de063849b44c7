"""What the HTTP runner's configuration refuses, and that the page about its protocol is complete."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from hotplane.builtin.runners.http_settings import HttpRunnerConfig

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "http-worker.md").read_text()


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "ftp://worker"},
        {"base_url": "worker:8081"},
        {"base_url": "http://user:hunter2@worker"},
        {"base_url": "http://worker/?token=hunter2"},
        {"base_url": "http://worker", "timeout_ms": 0},
        {"base_url": "http://worker", "token_env": "A", "token_file": "b"},
        {"base_url": "http://worker", "health_path": "readyz"},
        {"base_url": "http://worker", "health_path": "/ready\r\nx: y"},
        {"base_url": "http://worker", "token": "hunter2"},
        {},
    ],
)
def test_what_cannot_work_is_refused_before_the_start(settings):
    """And no message repeats what may be a secret."""
    with pytest.raises(ValidationError) as refused:
        HttpRunnerConfig.model_validate(settings)
    assert "hunter2" not in str(refused.value)


def test_the_address_may_have_a_path():
    """A slash at its end makes no difference."""
    assert HttpRunnerConfig(base_url="https://worker/v1/").base_url == "https://worker/v1"


@pytest.mark.parametrize("name", HttpRunnerConfig.model_fields)
def test_every_setting_is_explained(name):
    """No setting is missing from the page."""
    assert f"`{name}`" in PAGE.split("## The runner's settings")[1]
