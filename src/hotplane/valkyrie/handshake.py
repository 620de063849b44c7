"""The conversation before the first call, without any input or output. Imports only this room's ground floor.

::

    client                      server
      ── ClientHello ──────────▶          versions, name, nonce, limits
      ◀───────── ServerHello ──           the highest common version, nonce, limits
      ── Proof ────────────────▶          only with a shared secret
      ◀─────────────── Proof ──

At every step the server may answer `Refused` instead, with a reason for people. The client proves itself first, so
that a stranger who connects learns nothing that depends on the secret.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from hotplane.valkyrie.authentication import is_proof, proof
from hotplane.valkyrie.failures import HandshakeRefused, PeerNotTrusted, ProtocolViolation
from hotplane.valkyrie.messages import (
    ANONYMOUS,
    HMAC_SHA256,
    MAGIC,
    MALFORMED,
    NONCE_BYTES,
    VERSIONS,
    ClientHello,
    Greeting,
    Proof,
    Refused,
    ServerHello,
    decode_greeting,
    encode,
)
from hotplane.version import __version__

__all__ = ["AGENT", "ClientHandshake", "Introduction", "Peer", "Refusal", "ServerHandshake"]

AGENT = f"hotplane/{__version__}"


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a side says of itself."""

    name: str
    max_frame: int
    window: int = 0
    secret: bytes | None = None
    versions: tuple[int, ...] = VERSIONS
    capabilities: tuple[str, ...] = ()

    @property
    def authentication(self) -> str:
        """The way of authentication, as the hello messages name it."""
        return ANONYMOUS if self.secret is None else HMAC_SHA256


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, once the handshake has succeeded."""

    name: str
    """What it calls itself; proven only as far as the shared secret or its certificate goes."""
    agent: str
    version: int
    """The protocol version of this connection."""
    max_frame: int
    window: int
    capabilities: tuple[str, ...]
    authenticated: bool


class Refusal(Exception):
    """The server will not go on; `frame` is the body to send before closing."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        self.frame = encode(Refused(code, message))
        super().__init__(message)


class ClientHandshake:
    """The connecting side.

    Attributes:
        peer: The server, as soon as calls may be made.
    """

    def __init__(self, endpoint: str, own: Introduction, *, nonce: bytes | None = None) -> None:
        self.peer: Peer | None = None
        self._endpoint = endpoint
        self._own = own
        self._nonce = nonce or os.urandom(NONCE_BYTES)
        self._expected_proof = b""
        self._server: ServerHello | None = None
        hello = ClientHello(
            MAGIC,
            own.versions,
            own.name,
            AGENT,
            self._nonce,
            own.authentication,
            own.max_frame,
            own.window,
            own.capabilities,
        )
        self.hello = encode(hello)
        """The body of the first frame."""

    def receive(self, body: bytes | memoryview) -> bytes | None:
        """Take a frame's body and return the body to answer, if there is one.

        Raises:
            HandshakeRefused: The server refuses.
            PeerNotTrusted: The server does not know the secret, or chose what it must not choose.
            ProtocolViolation: This is not what comes now.
        """
        match _decode(body):
            case Refused(code, message):
                raise HandshakeRefused(self._endpoint, code, message)
            case ServerHello() as hello if self._server is None:
                return self._greet(hello, bytes(body))
            case Proof(mac) if self._server is not None and self._expected_proof:
                if not is_proof(mac, self._expected_proof):
                    raise PeerNotTrusted(self._endpoint, "it does not know the shared secret")
                self.peer = _peer(self._server, authenticated=True)
                return None
            case other:
                raise ProtocolViolation(f"{type(other).__name__} is out of place in the handshake")

    def _greet(self, hello: ServerHello, body: bytes) -> bytes | None:
        self._check(hello)
        self._server = hello
        if self._own.secret is None:
            self.peer = _peer(hello, authenticated=False)
            return None
        nonces_and_hellos = {
            "client_nonce": self._nonce,
            "server_nonce": hello.nonce,
            "client_hello": self.hello,
            "server_hello": body,
        }
        self._expected_proof = proof(self._own.secret, "server", **nonces_and_hellos)
        return encode(Proof(proof(self._own.secret, "client", **nonces_and_hellos)))

    def _check(self, hello: ServerHello) -> None:
        if hello.magic != MAGIC:
            raise ProtocolViolation("the answer is not a Valkyrie hello")
        if hello.version != _highest_common(self._own.versions, hello.versions):
            raise PeerNotTrusted(
                self._endpoint,
                f"it chose protocol version {hello.version}, which is not the highest common one of its "
                f"{_listing(hello.versions)} and our {_listing(self._own.versions)}",
            )
        if hello.authentication != self._own.authentication:
            raise PeerNotTrusted(
                self._endpoint,
                f"it wants authentication {hello.authentication!r}, we want {self._own.authentication!r}",
            )
        if hello.nonce == self._nonce:
            raise PeerNotTrusted(self._endpoint, "it repeated our own nonce")


class ServerHandshake:
    """The listening side.

    Attributes:
        peer: The client, as soon as it may call.
    """

    def __init__(self, own: Introduction, *, nonce: bytes | None = None) -> None:
        self.peer: Peer | None = None
        self._own = own
        self._nonce = nonce or os.urandom(NONCE_BYTES)
        self._client: ClientHello | None = None
        self._version = 0
        self._expected_proof = self._answer = b""

    def receive(self, body: bytes | memoryview) -> bytes:
        """Take a frame's body and return the body to answer.

        Raises:
            Refusal: The client is refused.
            ProtocolViolation: This is not what comes now, or no Valkyrie at all.
        """
        match _decode(body):
            case ClientHello() as hello if self._client is None:
                return self._greet(hello, bytes(body))
            case Proof(mac) if self._client is not None and self._expected_proof:
                if not is_proof(mac, self._expected_proof):
                    raise Refusal("authentication", "the shared secret is not the same on both sides")
                self.peer = self._accepted(self._client, authenticated=True)
                return self._answer
            case other:
                raise ProtocolViolation(f"{type(other).__name__} is out of place in the handshake")

    def _greet(self, hello: ClientHello, body: bytes) -> bytes:
        self._check(hello)
        self._client = hello
        own = self._own
        answer = encode(
            ServerHello(
                MAGIC,
                self._version,
                own.versions,
                own.name,
                AGENT,
                self._nonce,
                own.authentication,
                own.max_frame,
                own.window,
                own.capabilities,
            )
        )
        if own.secret is None:
            self.peer = self._accepted(hello, authenticated=False)
            return answer
        nonces_and_hellos = {
            "client_nonce": hello.nonce,
            "server_nonce": self._nonce,
            "client_hello": body,
            "server_hello": answer,
        }
        self._expected_proof = proof(own.secret, "client", **nonces_and_hellos)
        self._answer = encode(Proof(proof(own.secret, "server", **nonces_and_hellos)))
        return answer

    def _check(self, hello: ClientHello) -> None:
        if hello.magic != MAGIC:
            raise ProtocolViolation("the first frame is not a Valkyrie hello")
        self._version = _highest_common(self._own.versions, hello.versions)
        if not self._version:
            raise Refusal(
                "version",
                f"no common protocol version: this server speaks {_listing(self._own.versions)}, "
                f"the client speaks {_listing(hello.versions)}",
            )
        if hello.authentication != self._own.authentication:
            raise Refusal(
                "authentication",
                f"this server wants authentication {self._own.authentication!r}, the client {hello.authentication!r}; "
                "both sides need the same `secret_file`",
            )
        if hello.nonce == self._nonce:
            raise Refusal("authentication", "the client repeated the server's nonce")

    def _accepted(self, hello: ClientHello, *, authenticated: bool) -> Peer:
        return _peer(hello, authenticated=authenticated, version=self._version)


def _decode(body: bytes | memoryview) -> Greeting:
    try:
        return decode_greeting(body)
    except MALFORMED as error:
        raise ProtocolViolation(f"a malformed frame in the handshake ({error})") from None


def _peer(hello: ClientHello | ServerHello, *, authenticated: bool, version: int = 0) -> Peer:
    chosen = hello.version if isinstance(hello, ServerHello) else version
    return Peer(
        hello.name, hello.agent, chosen, hello.max_frame, hello.window, hello.capabilities, authenticated=authenticated
    )


def _highest_common(ours: tuple[int, ...], theirs: tuple[int, ...]) -> int:
    return max(set(ours) & set(theirs), default=0)


def _listing(versions: tuple[int, ...]) -> str:
    return ", ".join(str(version) for version in sorted(versions))
