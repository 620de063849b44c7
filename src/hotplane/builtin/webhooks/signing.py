"""Signatures as Standard Webhooks 1.0 wants them, made and verified. Imports only `errors` and this room.

Signed is ``{id}.{timestamp}.{body}``. The header `webhook-signature` is a list of ``{version},{base64}`` with spaces
between: ``v1`` is HMAC-SHA256 with a secret ``whsec_…``, ``v1a`` is ed25519 with a key ``whsk_…``. With several keys
there are several signatures, so that a receiver may change its key at any moment of a rotation.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterable, Mapping

from hotplane.builtin.webhooks.keys import SigningKey, VerifyingKey
from hotplane.errors import HotplaneError

__all__ = ["TOLERANCE_SECONDS", "SignatureRefused", "sign", "verify"]

TOLERANCE_SECONDS = 300
"""How old, or how far in the future, a timestamp may be; what the published libraries allow."""

_MAX_SIGNATURES = 20


class SignatureRefused(HotplaneError):
    """The message is not authentic: {reason}."""

    code = "signature-refused"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()


def sign(keys: Iterable[SigningKey], id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`.

    Args:
        keys: One signature is made with each, in this order.
        id: The header `webhook-id`.
        timestamp: The header `webhook-timestamp`, in seconds since 1970.
        body: Exactly the bytes that are sent.
    """
    content = _content(id, str(timestamp), body)
    return " ".join([key.sign(content) for key in keys])


def verify(
    keys: Iterable[VerifyingKey],
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: float,
    tolerance: float = TOLERANCE_SECONDS,
) -> str:
    """Return the id of an authentic message.

    Args:
        keys: One of them must fit one of the signatures.
        headers: Of the request, the names in lower case.
        body: Exactly the bytes that came.
        now: Seconds since 1970.
        tolerance: Seconds by which the timestamp may differ from `now`.

    Raises:
        SignatureRefused: A header is missing, the time too far away, or no signature fits.
    """
    message_id, timestamp, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not (message_id and timestamp and given):
        raise SignatureRefused("one of `webhook-id`, `webhook-timestamp` and `webhook-signature` is missing")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        raise SignatureRefused("`webhook-timestamp` is not a number of seconds")
    if abs(int(timestamp) - now) > tolerance:
        raise SignatureRefused(f"`webhook-timestamp` is more than {tolerance:g} s away from the present")
    content = _content(message_id, timestamp, body)
    known = list(keys)
    # Every pair is tried, so that the time taken does not tell which one fitted.
    fitting = [
        key.fits(content, mark)
        for version, mark in _marks(given)
        for key in known
        if key.version == version
    ]  # fmt: skip
    if not any(fitting):
        raise SignatureRefused("no signature fits")
    return message_id


def _content(id: str, timestamp: str, body: bytes) -> bytes:
    return b".".join((id.encode(), timestamp.encode(), body))


def _marks(header: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for each in header.split(" ", _MAX_SIGNATURES)[:_MAX_SIGNATURES]:
        version, _, text = each.partition(",")
        try:
            found.append((version, b64decode(text, validate=True)))
        except (binascii.Error, ValueError):
            continue  # one that cannot be read fits nothing
    return found
