"""Signatures: what the published package says of ours, and what we say of forged ones."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from hotplane.builtin.webhooks.keys import InvalidKey, new_secret, signing_key, verifying_key
from hotplane.builtin.webhooks.signing import SignatureRefused, sign, verify

BODY = '{"type":"plugin.failed","data":{"text":"für"}}'.encode()
NOW = 1_772_366_400
OLD, NEW = "whsec_" + b64encode(b"o" * 24).decode(), "whsec_" + b64encode(b"n" * 64).decode()
PRIVATE = Ed25519PrivateKey.from_private_bytes(b"p" * 32)
SEED = "whsk_" + b64encode(b"p" * 32).decode()
PUBLIC = "whpk_" + b64encode(PRIVATE.public_key().public_bytes_raw()).decode()


def headers(*keys: str, id: str = "msg-1", timestamp: int = NOW, body: bytes = BODY) -> dict[str, str]:
    """Return the headers of a signed message."""
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign([signing_key(key) for key in keys], id, timestamp, body),
    }


def judged(given: dict[str, str], *keys: str, body: bytes = BODY, now: float = NOW) -> str:
    """Return the id, as our own receiver judges."""
    return verify([verifying_key(key) for key in keys], given, body, now=now)


def test_the_vector_of_the_specification() -> None:
    """The signature that the reference libraries test with."""
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("receiver", [OLD, NEW])
def test_the_published_package_verifies_us_during_a_rotation(receiver: str) -> None:
    """Whichever secret the receiver has, one of two signatures is made with it."""
    now = int(datetime.now(UTC).timestamp())
    assert Webhook(receiver).verify(BODY, headers(NEW, OLD, timestamp=now))["type"] == "plugin.failed"


def test_the_published_package_refuses_what_was_changed() -> None:
    """The check is one that can fail."""
    now = int(datetime.now(UTC).timestamp())
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(BODY + b" ", headers(NEW, timestamp=now))


def test_we_verify_what_the_published_package_signs() -> None:
    """In the other direction, too."""
    made = Webhook(OLD).sign("msg-1", datetime.fromtimestamp(NOW, UTC), BODY.decode())
    given = {"webhook-id": "msg-1", "webhook-timestamp": str(NOW), "webhook-signature": made}
    assert judged(given, OLD) == "msg-1"


def test_ed25519_is_verified_by_cryptography() -> None:
    """The tag is `v1a`, the content the same."""
    version, _, text = headers(SEED)["webhook-signature"].partition(",")
    assert version == "v1a"
    assert text == b64encode(PRIVATE.sign(b"msg-1.%d." % NOW + BODY)).decode()


def test_both_kinds_of_key_sign_side_by_side() -> None:
    """A receiver takes the one that it has."""
    given = headers(SEED, OLD)
    assert [part.partition(",")[0] for part in given["webhook-signature"].split(" ")] == ["v1a", "v1"]
    assert {judged(given, key) for key in (SEED, PUBLIC, OLD)} == {"msg-1"}


def test_a_private_key_may_have_its_public_half_behind_it() -> None:
    """As libsodium writes it; a half of another key is refused."""
    whole = b"p" * 32 + PRIVATE.public_key().public_bytes_raw()
    assert headers("whsk_" + b64encode(whole).decode()) == headers(SEED)
    with pytest.raises(InvalidKey, match="does not belong"):
        signing_key("whsk_" + b64encode(b"p" * 64).decode())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"webhook-id": "msg-2"}, "no signature fits"),
        ({"webhook-id": ""}, "is missing"),
        ({"webhook-signature": ""}, "is missing"),
        ({"webhook-signature": "v1"}, "no signature fits"),
        ({"webhook-signature": "v1,%%% v1a,AAAA v2,AAAA ,"}, "no signature fits"),
        ({"webhook-signature": "v1a" + headers(OLD)["webhook-signature"][2:]}, "no signature fits"),
        ({"webhook-timestamp": str(NOW - 301)}, "301|away"),
        ({"webhook-timestamp": str(NOW + 301)}, "away"),
        ({"webhook-timestamp": str(NOW + 1)}, "no signature fits"),
        ({"webhook-timestamp": "1e9"}, "not a number"),
        ({"webhook-timestamp": "9" * 5_000}, "not a number"),
        ({"webhook-timestamp": "٣"}, "not a number"),
    ],
)
def test_what_is_not_authentic_is_refused(change: dict[str, str], reason: str) -> None:
    """Another id, time, version or signature; nothing that can be sent breaks the check itself."""
    with pytest.raises(SignatureRefused, match=reason):
        judged(headers(OLD) | change, OLD, PUBLIC)


@pytest.mark.parametrize(("body", "key"), [(BODY + b"\n", OLD), (BODY, NEW)])
def test_another_body_or_secret_is_refused(body: bytes, key: str) -> None:
    """What is signed is what came."""
    with pytest.raises(SignatureRefused, match="no signature fits"):
        judged(headers(OLD), key, body=body)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("whsec_" + b64encode(b"x" * 23).decode(), "23 bytes once decoded, and must have 24 to 64"),
        ("whsec_" + b64encode(b"x" * 65).decode(), "65 bytes"),
        ("whsec_not base64 at all", "not base64"),
        ("whsec_", "0 bytes"),
        ("whsk_" + b64encode(b"x" * 31).decode(), "31 bytes"),
        (b64encode(b"x" * 32).decode(), "begins neither"),
        (PUBLIC, "begins neither"),
    ],
)
def test_what_cannot_be_a_key_is_refused_with_the_reason(text: str, reason: str) -> None:
    """The message says what is wrong and repeats nothing of the key."""
    with pytest.raises(InvalidKey, match=reason) as caught:
        signing_key(text)
    assert len(text) < 8 or text[6:] not in str(caught.value)


def test_a_public_key_has_32_bytes() -> None:
    """Only those verify."""
    with pytest.raises(InvalidKey, match="has 32"):
        verifying_key("whpk_AAAA")
    with pytest.raises(InvalidKey, match="whpk_"):
        verifying_key("AAAA")


def test_a_new_secret_is_one() -> None:
    """And no two are the same."""
    first, second = new_secret(), new_secret()
    assert first != second
    assert judged(headers(first), first) == "msg-1"


@given(st.binary(), st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1), st.integers(0, 2**33))
def test_what_we_sign_we_verify(body: bytes, id: str, timestamp: int) -> None:
    """For any message."""
    given = headers(NEW, SEED, id=id, timestamp=timestamp, body=body)
    assert judged(given, PUBLIC, body=body, now=timestamp) == id
    assert judged(given, NEW, body=body, now=timestamp) == id


def test_keys_show_nothing() -> None:
    """In a traceback or a debugger's log either."""
    keys: list[Any] = [signing_key(OLD), signing_key(SEED), verifying_key(PUBLIC)]
    assert OLD[6:] not in repr(keys)
