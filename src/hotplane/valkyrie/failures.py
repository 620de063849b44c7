"""What can go wrong between two Valkyrie peers, and whether the call may have run. Imports only `errors`.

Every failure of a call says by `executed` whether another attempt is safe: ``"no"`` means that the program has
certainly not been started for this call, ``"maybe"`` that it ran or may have run::

    HotplaneError
    ├── ValkyrieError
    │   ├── ConnectFailed
    │   │   ├── HandshakeRefused      (the peer refused us)
    │   │   └── PeerNotTrusted        (we refused the peer)
    │   ├── ConnectionLost
    │   ├── ProtocolViolation
    │   └── CallFailed
    │       ├── ProgramFailed, UnknownTarget, PeerOverloaded, PeerShuttingDown, DeadlineExceeded
    │       └── CallCancelled, TooLarge, PeerFailed
    └── Invalid
        └── InvalidEndpoint, PlaintextRefused, AnonymousRefused, InvalidSecret, AddressInUse
"""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from hotplane.errors import HotplaneError, Invalid

__all__ = [
    "AddressInUse",
    "AnonymousRefused",
    "CallCancelled",
    "CallFailed",
    "ConnectFailed",
    "ConnectionLost",
    "DeadlineExceeded",
    "Executed",
    "HandshakeRefused",
    "InvalidEndpoint",
    "InvalidSecret",
    "PeerFailed",
    "PeerNotTrusted",
    "PeerOverloaded",
    "PeerShuttingDown",
    "PlaintextRefused",
    "ProgramFailed",
    "ProtocolViolation",
    "TooLarge",
    "UnknownTarget",
    "ValkyrieError",
]

Executed: TypeAlias = Literal["no", "maybe"]
"""Whether the program may have been started for a call that failed."""


class InvalidEndpoint(Invalid):
    """The endpoint {endpoint!r} cannot be used: {reason}.

    Write `tcp://host:port`, `tls://host:port` or `unix:///path`.
    """

    code = "invalid-endpoint"

    def __init__(self, endpoint: str, reason: str) -> None:
        self.endpoint = endpoint
        self.reason = reason
        super().__init__()


class PlaintextRefused(Invalid):
    """{endpoint} is beyond this machine and not encrypted.

    Use `tls://`, or set `allow_plaintext` where the network is trusted.
    """

    code = "plaintext-refused"

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        super().__init__()


class AnonymousRefused(Invalid):
    """{endpoint} would let anybody on the network call programs.

    Set `secret_file` or `tls.ca_file`, or `allow_anonymous` where that is meant.
    """

    code = "anonymous-refused"

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        super().__init__()


class InvalidSecret(Invalid):
    """The shared secret cannot be used: {reason}. Make one with `openssl rand -hex 32`."""

    code = "invalid-secret"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()


class AddressInUse(Invalid):
    """The server cannot listen at {endpoint}: {reason}."""

    code = "address-in-use"

    def __init__(self, endpoint: str, reason: str) -> None:
        self.endpoint = endpoint
        self.reason = reason
        super().__init__()


class ValkyrieError(HotplaneError):
    """The exchange with the peer failed."""

    code = "valkyrie-error"
    executed: Executed = "maybe"


class ConnectFailed(ValkyrieError):
    """No connection to {endpoint}: {reason}."""

    code = "connect-failed"
    executed: Executed = "no"

    def __init__(self, endpoint: str, reason: str) -> None:
        self.endpoint = endpoint
        self.reason = reason
        super().__init__()


class HandshakeRefused(ConnectFailed):
    """{endpoint} refused the connection ({refusal}): {reason}."""

    code = "handshake-refused"

    def __init__(self, endpoint: str, refusal: str, reason: str) -> None:
        self.refusal = refusal
        """The refusal's code on the wire, such as ``version`` or ``authentication``."""
        super().__init__(endpoint, reason)


class PeerNotTrusted(ConnectFailed):
    """{endpoint} is not the peer that was expected: {reason}."""

    code = "peer-not-trusted"


class ConnectionLost(ValkyrieError):
    """The connection to {endpoint} was lost: {reason}."""

    code = "connection-lost"

    def __init__(self, endpoint: str, reason: str, *, executed: Executed) -> None:
        self.endpoint = endpoint
        self.reason = reason
        self.executed = executed
        super().__init__()


class ProtocolViolation(ValkyrieError):
    """The peer broke the protocol: {reason}."""

    code = "protocol-violation"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()


class CallFailed(ValkyrieError):
    """The call failed."""

    code = "call-failed"
    wire: ClassVar[str] = ""
    """The code of the error frame."""

    def __init__(self, message: str | None = None, *, executed: Executed | None = None) -> None:
        if executed is not None:
            self.executed = executed
        super().__init__(message or None)


class ProgramFailed(CallFailed):
    """The program raised an exception: a failure of the task, not of the runner."""

    code = "program-failed"
    wire = "program-error"

    def __init__(self, message: str = "", *, type: str = "Exception", traceback: str | None = None) -> None:
        self.type = type
        """The name of the exception's class."""
        self.message = message
        self.traceback = traceback
        """The program's own frames, for its author."""
        super().__init__(f"{type}: {message}" if message else type)


class UnknownTarget(CallFailed):
    """The peer does not serve this target and method."""

    code = "unknown-target"
    wire = "unknown-target"
    executed: Executed = "no"


class PeerOverloaded(CallFailed):
    """The peer has as many calls as it takes; try another one, or later."""

    code = "peer-overloaded"
    wire = "overloaded"
    executed: Executed = "no"


class PeerShuttingDown(CallFailed):
    """The peer is shutting down and takes no new calls."""

    code = "peer-shutting-down"
    wire = "shutting-down"
    executed: Executed = "no"


class DeadlineExceeded(CallFailed):
    """The call was not answered before its deadline."""

    code = "deadline-exceeded"
    wire = "deadline-exceeded"


class CallCancelled(CallFailed):
    """The peer ended the call because it was asked to."""

    code = "call-cancelled"
    wire = "cancelled"


class TooLarge(CallFailed):
    """The call or its answer does not fit into a frame that the other side accepts; raise `max_frame_bytes` there."""

    code = "too-large"
    wire = "too-large"


class PeerFailed(CallFailed):
    """The peer failed while it served the call; its log says why."""

    code = "peer-failed"
    wire = "internal"
