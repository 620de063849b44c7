"""Which servers a configuration names."""

from __future__ import annotations

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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["host", "port", "url"]), inner),
)


@given(st.dictionaries(st.text(), JSON))
def test_any_configuration_can_be_read(configuration):
    """Whatever is in it; what comes out are hosts and ports."""
    assert all(host and 0 < port < 65_536 for host, port in origins_in(configuration))
