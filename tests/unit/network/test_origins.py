"""Which servers a configuration names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, SecretStr

from hotplane.network import origins_in


@pytest.mark.parametrize(
    ("configuration", "servers"),
    [
        ({"url": "https://Hooks.Example/a?b"}, {("hooks.example", 443)}),
        ({"url": "http://user:secret@a.example:8080"}, {("a.example", 8080)}),
        ({"base_url": "http://[::1]:9/x"}, {("::1", 9)}),
        ({"SlackWebhookUrl": "https://a.example"}, {("a.example", 443)}),
        ({"deep": [{"er": ({"x": "http://a"},)}]}, {("a", 80)}),
        ({"relay": "smtp://mail.example"}, {("mail.example", 25), ("mail.example", 587)}),
        ({"relay": "smtps://mail.example"}, {("mail.example", 465)}),
        ({"relay": "smtp://mail.example:2525"}, {("mail.example", 2525)}),
        ({"smtp_host": "mail.internal", "smtp_port": 2525}, {("mail.internal", 2525)}),
        ({"SmtpHost": "mail.internal", "SmtpPort": "2525"}, {("mail.internal", 2525)}),
        ({"Host": "10.0.0.1", "Port": 25}, {("10.0.0.1", 25)}),
        ({"host": "mail", "port": None}, {("mail", 25), ("mail", 465), ("mail", 587)}),
        ({"host": "mail", "user": "x"}, {("mail", 25), ("mail", 465), ("mail", 587)}),
        (
            {"url": SecretStr("https://a.example"), "other": AnyUrl("http://b.example")},
            {("a.example", 443), ("b.example", 80)},
        ),
    ],
)
def test_servers_are_found_at_any_depth(configuration, servers):
    """URLs, and hosts with their ports, in every spelling of the keys."""
    assert origins_in(configuration) == servers


@pytest.mark.parametrize(
    "configuration",
    [
        {},
        {"url": "ftp://a.example"},
        {"text": "see http://a.example"},
        {"url": "http://a:0"},
        {"url": "http://"},
        {"host": "a b", "port": 25},
        {"HOST": "."},
        {"url": "http://."},
        {"host": "a", "port": 0},
        {"host": "a", "port": 65_536},
        {"host": "a", "port": True},
        {"host": "a", "port": "٢٥"},
        {"host": 7, "port": 25},
        {"port": 25},
        {7: None},
    ],
)
def test_what_names_no_server_makes_no_exception(configuration):
    """A text that only mentions a URL, and ports and hosts that cannot be."""
    assert origins_in(configuration) == frozenset()


def test_a_host_in_one_mapping_does_not_take_the_port_of_another():
    """Only what stands together belongs together."""
    assert ("a", 9) not in origins_in({"one": {"host": "a"}, "two": {"port": 9}})


hosts = st.sampled_from([".", "a.", "a..b", "::1", "10.0.0.1", "http://.", "smtp://a:0", "https://[::1]"])
keys = st.text(max_size=8) | st.sampled_from(["host", "SmtpHost", "port", "url", "env", "file"])
# Small, so that what fails is made smaller within the time of a test.
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 65_536) | st.text(max_size=8) | hosts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(keys, json_values, max_size=4))
def test_any_configuration_can_be_read(configuration):
    """Whatever is in it; what comes out are hosts and ports."""
    assert all(host and 0 < port < 65_536 for host, port in origins_in(configuration))


def test_what_is_referred_to_counts_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable and a file that hold a URL, as secrets may be given."""
    monkeypatch.setenv("HOOK_URL", " https://a.example.com/x ")
    (tmp_path / "url").write_text("https://b.example.com:8443/y\n")
    configuration = {"url": {"env": "HOOK_URL"}, "others": [{"file": str(tmp_path / "url")}]}
    assert origins_in(configuration) == {("a.example.com", 443), ("b.example.com", 8443)}


def test_references_that_lead_nowhere_name_nothing(tmp_path: Path) -> None:
    """A variable that is not set, a file that is not there, a folder, a pipe, bytes, a relative path."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    files = [{"file": str(tmp_path / name)} for name in ("missing", ".", "pipe", "bytes", "nul\0")]
    others = [{"env": "NOT_SET_BY_ANYBODY"}, {"file": "url"}, {"env": "PATH", "file": "/x"}]
    assert origins_in({"all": [*files, *others]}) == frozenset()
