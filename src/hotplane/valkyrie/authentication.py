"""Proving knowledge of a shared secret without sending it. Imports only `failures`.

Each side sends ``HMAC-SHA256(secret, role ‖ nonces ‖ hellos)``. The role makes a proof useless when it is sent back
(reflection), the nonces make it useless later (replay), and the hello messages, taken as the very bytes that went
over the wire, make it useless after anything in them was changed (downgrade).
"""

from __future__ import annotations

import hmac
import stat
from hashlib import sha256
from pathlib import Path
from typing import Literal

from hotplane.log import get_logger
from hotplane.valkyrie.failures import InvalidSecret
from hotplane.valkyrie.frames import HEADER

__all__ = ["MIN_SECRET_BYTES", "check_secret", "is_proof", "load_secret", "proof"]

MIN_SECRET_BYTES = 16
"""Shorter secrets could be guessed from a recorded handshake."""
_MAX_SECRET_BYTES = 4096
_LABEL = b"valkyrie proof "

_log = get_logger(room="valkyrie")


def proof(
    secret: bytes,
    role: Literal["client", "server"],
    *,
    client_nonce: bytes,
    server_nonce: bytes,
    client_hello: bytes,
    server_hello: bytes,
) -> bytes:
    """Compute the 32 bytes by which `role` shows that it knows `secret`.

    Args:
        secret: The shared secret, as it stands.
        role: Whose proof it is.
        client_nonce: The 32 bytes of the client's hello.
        server_nonce: The 32 bytes of the server's hello.
        client_hello: The body of the client's hello frame, byte for byte.
        server_hello: The body of the server's hello frame, byte for byte.
    """
    mac = hmac.new(secret, _LABEL + role.encode() + b"\0" + client_nonce + server_nonce, sha256)
    for hello in (client_hello, server_hello):
        mac.update(HEADER.pack(len(hello)))
        mac.update(hello)
    return mac.digest()


def is_proof(received: bytes, expected: bytes) -> bool:
    """Compare two proofs in constant time."""
    return hmac.compare_digest(received, expected)


def check_secret(secret: bytes) -> bytes:
    """Return `secret` when it is long enough.

    Raises:
        InvalidSecret: It is shorter than 16 bytes or longer than 4096.
    """
    if len(secret) < MIN_SECRET_BYTES:
        raise InvalidSecret(f"it has {len(secret)} bytes, fewer than {MIN_SECRET_BYTES}")
    if len(secret) > _MAX_SECRET_BYTES:
        raise InvalidSecret(f"it has more than {_MAX_SECRET_BYTES} bytes")
    return secret


def load_secret(path: Path) -> bytes:
    """Read a secret from a file, without white space at its ends; warn when others may read the file too.

    Raises:
        InvalidSecret: The file cannot be read, or what it holds is too short or too long.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            secret = file.read(_MAX_SECRET_BYTES + 64).strip()
    except OSError as error:
        raise InvalidSecret(f"{path} cannot be read ({error.strerror})") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        _log.warning("secret_file_readable_by_others", path=str(path), mode=f"{mode:04o}", advice=f"chmod 600 {path}")
    return check_secret(secret)
