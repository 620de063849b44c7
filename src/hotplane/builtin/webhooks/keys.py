"""Keys of signatures: symmetric secrets `whsec_…`, and ed25519 keys `whsk_…` and `whpk_…`. Imports only `errors`."""

from __future__ import annotations

import binascii
import hmac
import secrets
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from hotplane.errors import Invalid, MissingExtra

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["InvalidKey", "SigningKey", "VerifyingKey", "new_secret", "signing_key", "verifying_key"]

_SHORTEST, _LONGEST = 24, 64
"""Bytes of a symmetric secret (Standard Webhooks 1.0, signature scheme)."""


class InvalidKey(Invalid):
    """This cannot be a signing key: {reason}."""

    code = "invalid-signing-key"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()


class SigningKey(Protocol):
    """Makes signatures."""

    def sign(self, content: bytes) -> str:
        """Return ``{version},{base64}``."""
        ...


class VerifyingKey(Protocol):
    """Judges signatures."""

    version: str

    def fits(self, content: bytes, signature: bytes) -> bool:
        """Return whether `signature` was made for `content` with this key, or its other half."""
        ...


class _Symmetric:
    version = "v1"

    def __init__(self, secret: bytes) -> None:
        # A copy is half the price of beginning with the secret, and keeps the interpreter's lock for short contents.
        self._begun = hmac.new(secret, digestmod=sha256)

    def sign(self, content: bytes) -> str:
        return f"v1,{b64encode(self._digest(content)).decode()}"

    def fits(self, content: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(self._digest(content), signature)

    def _digest(self, content: bytes) -> bytes:
        code = self._begun.copy()
        code.update(content)
        return code.digest()


class _Private:
    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    def sign(self, content: bytes) -> str:
        return f"v1a,{b64encode(self._private.sign(content)).decode()}"


class _Public:
    version = "v1a"

    def __init__(self, public: Ed25519PublicKey) -> None:
        self._public = public

    def fits(self, content: bytes, signature: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature

        try:
            self._public.verify(signature, content)
        except InvalidSignature:
            return False
        return True


def new_secret() -> str:
    """Return a fresh symmetric secret of 32 random bytes, with its prefix."""
    return f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"


def signing_key(text: str) -> SigningKey:
    """Return the key that ``whsec_…`` or ``whsk_…`` is.

    Raises:
        InvalidKey: It has another prefix, is not base64, or too short or too long. The message does not repeat it.
        MissingExtra: `cryptography` is missing, which ed25519 needs.
    """
    if text.startswith("whsec_"):
        return _Symmetric(_secret(text))
    if text.startswith("whsk_"):
        return _Private(_private(text))
    raise InvalidKey("it begins neither with `whsec_` (HMAC-SHA256) nor with `whsk_` (ed25519)")


def verifying_key(text: str) -> VerifyingKey:
    """Return the key that judges: ``whsec_…``, ``whpk_…``, or the public half of ``whsk_…``.

    Raises:
        InvalidKey: It cannot be one. The message does not repeat it.
        MissingExtra: `cryptography` is missing, which ed25519 needs.
    """
    if text.startswith("whsec_"):
        return _Symmetric(_secret(text))
    if text.startswith("whsk_"):
        return _Public(_private(text).public_key())
    if text.startswith("whpk_"):
        return _Public(_public(text))
    raise InvalidKey("it begins neither with `whsec_` (HMAC-SHA256) nor with `whpk_` (ed25519)")


def _secret(text: str) -> bytes:
    secret = _decoded(text)
    if not _SHORTEST <= len(secret) <= _LONGEST:
        raise InvalidKey(f"it has {len(secret)} bytes once decoded, and must have {_SHORTEST} to {_LONGEST}")
    return secret


def _private(text: str) -> Ed25519PrivateKey:
    """Read a seed of 32 bytes, or seed and public key in 64 bytes as libsodium writes them."""
    private_key, _ = _ed25519()
    raw = _decoded(text)
    if len(raw) not in {32, 64}:
        raise InvalidKey(f"it has {len(raw)} bytes once decoded, and an ed25519 key has 32, or 64 with its public half")
    private = private_key.from_private_bytes(raw[:32])
    if raw[32:] not in {b"", private.public_key().public_bytes_raw()}:
        raise InvalidKey("its public half does not belong to its private one")
    return private


def _public(text: str) -> Ed25519PublicKey:
    _, public_key = _ed25519()
    raw = _decoded(text)
    if len(raw) != 32:
        raise InvalidKey(f"it has {len(raw)} bytes once decoded, and an ed25519 public key has 32")
    return public_key.from_public_bytes(raw)


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text.partition("_")[2], validate=True)
    except (binascii.Error, ValueError):
        raise InvalidKey("what follows the prefix is not base64") from None


def _ed25519() -> tuple[type[Ed25519PrivateKey], type[Ed25519PublicKey]]:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise MissingExtra("A signature with ed25519", "webhooks") from None
    return ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey
