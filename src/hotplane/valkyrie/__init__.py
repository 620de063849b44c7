"""Valkyrie, the wire protocol: calls with deadlines, many at once, over TCP, TLS or a Unix socket.

Imports only `errors`. The specification for other languages is `docs/reference/valkyrie.md`.
"""

from hotplane.valkyrie.client import connect
from hotplane.valkyrie.connection import Connection
from hotplane.valkyrie.endpoint import Endpoint
from hotplane.valkyrie.failures import (
    AddressInUse,
    AnonymousRefused,
    CallCancelled,
    CallFailed,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    Executed,
    HandshakeRefused,
    InvalidEndpoint,
    InvalidSecret,
    PeerFailed,
    PeerNotTrusted,
    PeerOverloaded,
    PeerShuttingDown,
    PlaintextRefused,
    ProgramFailed,
    ProtocolViolation,
    TooLarge,
    UnknownTarget,
    ValkyrieError,
)
from hotplane.valkyrie.handshake import Peer
from hotplane.valkyrie.messages import Call
from hotplane.valkyrie.opencalls import ConnectionCounters
from hotplane.valkyrie.pings import PeerLoad
from hotplane.valkyrie.server import Server, serve
from hotplane.valkyrie.session import Handler
from hotplane.valkyrie.settings import ClientSettings, ServerSettings, TlsSettings

__all__ = [
    "AddressInUse",
    "AnonymousRefused",
    "Call",
    "CallCancelled",
    "CallFailed",
    "ClientSettings",
    "ConnectFailed",
    "Connection",
    "ConnectionCounters",
    "ConnectionLost",
    "DeadlineExceeded",
    "Endpoint",
    "Executed",
    "Handler",
    "HandshakeRefused",
    "InvalidEndpoint",
    "InvalidSecret",
    "Peer",
    "PeerFailed",
    "PeerLoad",
    "PeerNotTrusted",
    "PeerOverloaded",
    "PeerShuttingDown",
    "PlaintextRefused",
    "ProgramFailed",
    "ProtocolViolation",
    "Server",
    "ServerSettings",
    "TlsSettings",
    "TooLarge",
    "UnknownTarget",
    "ValkyrieError",
    "connect",
    "serve",
]
