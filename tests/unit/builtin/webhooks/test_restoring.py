"""Asterisks that stand for secrets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from hotplane.builtin.webhooks.http import HttpWebhookConfig
from hotplane.builtin.webhooks.restoring import restored
from hotplane.errors import ConfigurationError

A, B, C = ("whsec_" + 42 * letter + "A=" for letter in "abc")
MASK = "********"
WRITTEN = {
    "url": "https://example.com/hook/secret",
    "secrets": [A, B],
    "headers": {"x-token": "hush", "y": {"env": "Y"}},
}
KNOWN = HttpWebhookConfig.model_validate(WRITTEN)


def test_what_is_shown_means_what_was_written() -> None:
    """All of it, defaults included."""
    found, back = restored(KNOWN.model_dump(mode="json"), KNOWN)
    assert HttpWebhookConfig.model_validate(found) == KNOWN
    assert set(back) == {"/url", "/secrets/0", "/secrets/1", "/headers/x-token"}


@pytest.mark.parametrize(
    ("secrets", "meant"), [([C, MASK, MASK], [C, A, B]), ([MASK, C, MASK], [A, C, B]), ([C, A], [C, A]), ([], [])]
)
def test_in_a_list_they_mean_the_old_ones_in_their_order(secrets: list[str], meant: list[str]) -> None:
    """New ones may stand before, between and behind them."""
    assert restored({"secrets": secrets}, KNOWN)[0] == {"secrets": meant}


@pytest.mark.parametrize("secrets", [[MASK], [C, MASK], [MASK, MASK, MASK]])
def test_where_it_is_not_clear_which_are_meant_they_are_refused(secrets: list[str]) -> None:
    """With the place, and what to do."""
    with pytest.raises(ConfigurationError) as caught:
        restored({"secrets": secrets}, KNOWN)
    assert caught.value.problems[0].pointer == "/secrets"
    assert "write all secrets out" in caught.value.problems[0].message


@pytest.mark.parametrize("url", ["https://other.example.com/********", MASK, "https://example.com/********/x"])
def test_asterisks_of_something_else_stay_asterisks(url: str) -> None:
    """The model refuses them then."""
    assert restored({"url": url}, KNOWN) == ({"url": url}, ())


def test_secrets_of_authors_own_models_come_back_too() -> None:
    """Pydantic's own type shows more asterisks."""

    class Own(BaseModel):
        key: SecretStr
        plain: str = ""

    own = Own(key=SecretStr("k"))
    assert restored(own.model_dump(mode="json"), own) == ({"key": "k", "plain": ""}, ("/key",))


json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just(MASK),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["url", "secrets", "x"]), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["url", "secrets", "headers", "events", "other"]), json_values, max_size=5))
def test_whatever_comes_is_restored_or_refused(given_: dict[str, Any]) -> None:
    """Nothing else is raised, and without asterisks nothing changes."""
    try:
        found, back = restored(given_, KNOWN)
    except ConfigurationError:
        return
    if not back:
        assert found == given_
