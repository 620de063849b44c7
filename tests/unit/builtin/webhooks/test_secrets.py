"""Secrets: three sources, and never to be seen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from hotplane.builtin.webhooks.secrets import MASK, SecretSource, conceal, problems_of
from hotplane.builtin.webhooks.urls import UrlSource, destination_of, secret_parts
from hotplane.errors import PluginMisconfigured

SECRET = "correct-horse-battery"
URL = f"https://hooks.example.com:8443/services/{SECRET}?token={SECRET}"


class Settings(BaseModel):
    """A configuration with both."""

    secret: SecretSource
    url: UrlSource


class Log:
    """Remembers warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, event: str, **values: object) -> None:
        self.warnings.append(event)


def secret(value: Any) -> SecretSource:
    """Return the secret that a configuration says."""
    return SecretSource.model_validate(value)


def test_a_secret_comes_from_a_text_a_variable_or_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All three give the same, without the line feed that editors leave."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    sources = (SECRET, {"env": "HOOK_SECRET"}, {"file": str(file)})
    assert [secret(source).read("x") for source in sources] == [SECRET] * 3


@pytest.mark.parametrize(
    "wrong",
    [{}, {"env": "A", "file": "/b"}, {"env": "A B"}, {"file": "relative"}, {"text": "x"}, 5, None, [], "", " ", MASK],
)
def test_what_is_no_source_is_refused(wrong: Any) -> None:
    """Exactly one source; the mask that we show is none."""
    with pytest.raises(ValidationError):
        secret(wrong)


def test_a_secret_is_shown_in_no_form() -> None:
    """Not by repr, str, dump, JSON or schema."""
    shown = Settings.model_validate({"secret": SECRET, "url": URL})
    schema = Settings.model_json_schema()
    for text in (repr(shown), str(shown), str(shown.model_dump()), shown.model_dump_json(), str(schema)):
        assert SECRET not in text
    assert shown.model_dump(mode="json") == {"secret": MASK, "url": f"https://hooks.example.com:8443/{MASK}"}
    assert schema["$defs"]["SecretSource"]["anyOf"][0]["writeOnly"]


def test_a_reference_is_shown_and_read_again() -> None:
    """The name of a variable or file is no secret."""
    for source in ({"env": "A"}, {"file": "/run/secrets/a"}):
        assert secret(source).model_dump(mode="json") == source
        assert secret(secret(source).model_dump(mode="json")) == secret(source)


def test_an_error_does_not_repeat_what_was_written() -> None:
    """Neither the text nor the list of pydantic's errors does, as the host shows it."""
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"secret": {"value": SECRET, "env": "A"}, "url": f"ftp://{SECRET}"})
    shown = [(each["msg"], each["loc"]) for each in caught.value.errors(include_input=False)]
    assert SECRET not in str(shown)


@pytest.mark.parametrize("content", [None, b"", b"  \n", b"\xff\xfe", b"x" * 20_000])
def test_a_file_that_holds_no_secret_is_named(tmp_path: Path, content: bytes | None) -> None:
    """The message says which file; what is in it stays there."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(PluginMisconfigured, match=r"`token`: .*secret'"):
        secret({"file": str(file)}).read("token")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Only a regular file is read."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PluginMisconfigured, match="not a regular file"):
        secret({"file": str(tmp_path / "pipe")}).read("token")


def test_a_file_that_others_may_read_is_reported(tmp_path: Path) -> None:
    """It is used all the same: in containers permissions are often not in the operator's hands."""
    file = tmp_path / "secret"
    file.write_text(SECRET)
    file.chmod(0o644)
    log: Any = Log()
    assert secret({"file": str(file)}).read("token", log=log) == SECRET
    assert log.warnings == ["webhook.secret-readable-by-others"]


def test_problems_name_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """One problem for each secret that is not there."""
    monkeypatch.delenv("NOT_SET", raising=False)
    problems = problems_of({"/a": secret("good-enough"), "/b/0": secret({"env": "NOT_SET"})})
    assert [(each.pointer, each.message) for each in problems] == [
        ("/b/0", "`b/0`: the environment variable 'NOT_SET' is not set, or empty.")
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        "ftp://example.com/x",
        "example.com/x",
        "https://",
        "https://user:word@example.com/",
        "https://token@example.com/",
        "https://example.com/#part",
        "https://example.com/#",
        "https://example.com:99999/",
        "https://example.com/a b",
        "https://exämple.com/",
        "https://[::1/",
        f"https://example.com/{MASK}",
        "https://example.com/" + "x" * 5_000,
    ],
)
def test_what_cannot_be_posted_to_is_refused(wrong: str) -> None:
    """At once, and without repeating it."""
    with pytest.raises(ValidationError) as caught:
        UrlSource.model_validate(wrong)
    assert wrong == "https://" or wrong not in str(caught.value.errors(include_input=False, include_context=False))


def test_a_url_in_the_environment_is_judged_when_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable, and does not repeat the URL."""
    monkeypatch.setenv("HOOK", f"https://u:{SECRET}@example.com")
    source = UrlSource.model_validate({"env": "HOOK"})
    with pytest.raises(PluginMisconfigured, match="'HOOK' holds cannot be used: credentials") as caught:
        source.read("url")
    assert SECRET not in str(caught.value)
    assert destination_of(source, "url") is None


def test_the_destination_is_scheme_host_and_port() -> None:
    """What a breaker guards, and what is shown."""
    assert destination_of(UrlSource.model_validate(URL), "url") == "https://hooks.example.com:8443"
    assert UrlSource.model_validate("http://example.com/").model_dump() == "http://example.com/"


def test_what_a_server_repeats_of_a_secret_is_concealed() -> None:
    """Longer secrets first, and short texts are no secrets."""
    parts = secret_parts(URL)
    assert conceal(f"no such hook: {SECRET}!", parts) == f"no such hook: {MASK}!"
    assert conceal("POST /services", parts) == "POST /services"
    assert conceal("a b", ["a", "b", ""]) == "a b"


def test_the_schema_takes_all_three_forms() -> None:
    """Editors and the API's readers see what may be written."""
    forms = TypeAdapter(SecretSource).json_schema()["anyOf"]
    assert [form.get("required", form["type"]) for form in forms] == ["string", ["env"], ["file"]]
