"""The settings of clients and servers. Imports only `authentication`, from which the secret's rules come."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretBytes, model_validator

from hotplane.valkyrie.authentication import check_secret, load_secret

__all__ = ["ClientSettings", "ServerSettings", "TlsSettings"]

Seconds = Annotated[float, Field(gt=0, le=3600)]
FrameBytes = Annotated[int, Field(ge=4096, le=2**31 - 1)]
Limit = Annotated[int, Field(ge=1, le=1_000_000)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsSettings(_Settings):
    """Certificate files in PEM form."""

    ca_file: Path | None = None
    """Whom to trust. Clients: who may have signed the server's certificate (default: the system's list).
    Servers: who must have signed the clients' certificates (default: clients need none)."""
    cert_file: Path | None = None
    """The own certificate with its chain; servers must have one."""
    key_file: Path | None = None
    """The certificate's private key, not encrypted; default: it is in `cert_file`."""
    server_name: str | None = None
    """The name that the server's certificate must hold, where it differs from the endpoint's host."""


class _PeerSettings(_Settings):
    name: str = Field(default="hotplane", max_length=128)
    """How this side introduces itself."""
    secret: SecretBytes | None = None
    secret_file: Path | None = None
    """A file that holds the shared secret; both sides need the same one."""
    allow_plaintext: bool = False
    """Whether `tcp://` may reach beyond this machine: readable and changeable by whoever sits between."""
    tls: TlsSettings | None = None
    max_frame_bytes: FrameBytes = 16 * 1024 * 1024
    """The largest message accepted."""
    write_high_water_bytes: int = Field(default=1024 * 1024, ge=1024)
    """When this much waits to be sent, new work on the connection waits."""
    max_buffered_bytes: int = Field(default=64 * 1024 * 1024, ge=4096)
    """When this much waits to be sent, the connection is cut."""
    stall_seconds: Seconds = 30.0
    """How long a peer may refuse to read before the connection is cut."""

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if self.secret is not None and self.secret_file is not None:
            raise ValueError("give `secret` or `secret_file`, not both")
        return self

    def read_secret(self) -> bytes | None:
        """Return the shared secret, or None where there is none.

        Raises:
            InvalidSecret: It cannot be read, or is too short.
        """
        if self.secret is not None:
            return check_secret(self.secret.get_secret_value())
        return load_secret(self.secret_file) if self.secret_file is not None else None


class ClientSettings(_PeerSettings):
    """How to connect and to call."""

    connect_timeout_seconds: Seconds = 5.0
    """For everything until calls may be made: name, connection, TLS, handshake."""
    max_waiting: int = Field(default=1024, ge=0, le=1_000_000)
    """How many callers may wait for a place in the peer's window; 0 refuses them at once."""
    ping_interval_seconds: Seconds = 0.5
    """How often the peer is asked for a sign of life while calls are open."""
    ping_misses: int = Field(default=2, ge=1, le=100)
    """After so many unanswered in a row the connection counts as lost."""


class ServerSettings(_PeerSettings):
    """How to listen and to serve."""

    allow_anonymous: bool = False
    """Whether anybody on the network may call, without secret or client certificate."""
    window: Limit = 1024
    """How many calls one connection may have open."""
    max_calls: Limit = 4096
    """How many calls run at once, over all connections; more are refused."""
    max_connections: Limit = 512
    """How many connections may have finished their handshake; more are refused."""
    max_unauthenticated: Limit = 128
    """How many connections may be in their handshake; one more cuts the oldest."""
    handshake_timeout_seconds: Seconds = 5.0
    backlog: Limit = 1024
    """How many connections the system keeps until they are accepted."""
    linger_seconds: Seconds = 5.0
    """How long a drained connection stays open for calls that were already on their way; a client that knows better
    closes it sooner, unless its machine stands still."""
    closing_seconds: Seconds = 1.0
    """How long a connection that is being closed may take for its last answers."""
