"""The frames' contents: one msgpack array per message, its first element the message's number.

Imports nothing of Hotplane. `docs/reference/valkyrie.md` is the specification; later versions may append fields to
an array, which readers ignore, and never change the meaning of those that stand. The hello messages, proof and
refusal are the same in every version of the protocol.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

__all__ = [
    "ANONYMOUS",
    "HMAC_SHA256",
    "MAGIC",
    "MALFORMED",
    "MAX_CALL_ID",
    "MAX_METHOD",
    "MAX_REMAINING_MS",
    "MAX_TARGET",
    "MAX_TEXT",
    "MAX_TRACE",
    "NONCE_BYTES",
    "VERSIONS",
    "Call",
    "Cancel",
    "ClientHello",
    "Error",
    "GoAway",
    "Greeting",
    "Message",
    "Ping",
    "Pong",
    "Proof",
    "Refused",
    "Result",
    "ServerHello",
    "decode_greeting",
    "decode_message",
    "encode",
]

MAGIC = "valkyrie"
VERSIONS = (1,)
"""The protocol versions that this implementation speaks."""
ANONYMOUS = "none"
HMAC_SHA256 = "hmac-sha256"
NONCE_BYTES = 32
MAX_CALL_ID = 2**53 - 1
"""The largest integer that every language holds exactly."""
MAX_REMAINING_MS = 86_400_000
"""One day."""
MAX_TARGET, MAX_METHOD, MAX_TRACE, MAX_TEXT = 512, 128, 512, 65_536
"""The longest strings, in characters, that a call or an error may hold."""
MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for a body that is not a message."""

Byte32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
CallId = Annotated[int, Meta(ge=1, le=MAX_CALL_ID)]
Count = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Name = Annotated[str, Meta(max_length=128)]
Version = Annotated[int, Meta(ge=1, le=65_535)]
Versions = Annotated[tuple[Version, ...], Meta(min_length=1, max_length=32)]
Capabilities = Annotated[tuple[Name, ...], Meta(max_length=32)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Milliseconds = Annotated[int, Meta(ge=0, le=MAX_REMAINING_MS)]


class _Message(Struct, frozen=True, array_like=True, gc=False):
    """Base of all messages."""


class ClientHello(_Message, frozen=True, tag=1):
    """The first frame, from the side that connected."""

    magic: Name
    versions: Versions
    name: Name
    agent: Name
    nonce: Byte32
    authentication: Name
    max_frame: Count
    """The largest frame body, in bytes, that the sender accepts."""
    window: Count
    """How many calls the sender serves at once; a client says 0."""
    capabilities: Capabilities = ()


class ServerHello(_Message, frozen=True, tag=2):
    """The answer to the client's hello, from the side that listens."""

    magic: Name
    version: Version
    """The highest version that both sides speak."""
    versions: Versions
    name: Name
    agent: Name
    nonce: Byte32
    authentication: Name
    max_frame: Count
    window: Count
    """How many calls may be open on this connection."""
    capabilities: Capabilities = ()


class Proof(_Message, frozen=True, tag=3):
    """Shows that its sender knows the shared secret; first the client's, then the server's."""

    mac: Byte32


class Refused(_Message, frozen=True, tag=4):
    """Ends a handshake that cannot succeed."""

    code: Name
    message: Text


class Call(_Message, frozen=True, tag=16):
    """Asks the server to run a method of a target."""

    id: CallId
    target: Annotated[str, Meta(max_length=MAX_TARGET)]
    """What is called: a program, or a plugin's id."""
    method: Annotated[str, Meta(max_length=MAX_METHOD)]
    remaining_ms: Milliseconds
    """Milliseconds until the deadline, counted from the frame's arrival."""
    trace: Annotated[str, Meta(max_length=MAX_TRACE)] | None
    """W3C `traceparent`."""
    payload: bytes


class Result(_Message, frozen=True, tag=17):
    """Ends a call: what the method returned."""

    id: CallId
    payload: bytes


class Error(_Message, frozen=True, tag=18):
    """Ends a call: why there is no result."""

    id: CallId
    code: Name
    message: Text
    may_have_run: bool
    exception: Annotated[str, Meta(max_length=MAX_TARGET)] | None = None
    """The class of a program's exception."""
    traceback: Text | None = None


class Cancel(_Message, frozen=True, tag=19):
    """Asks the server to stop a call; the call is still answered."""

    id: CallId


class Ping(_Message, frozen=True, tag=20):
    """Asks for a pong with the same token."""

    token: Annotated[int, Meta(ge=0, le=MAX_CALL_ID)]


class Pong(_Message, frozen=True, tag=21):
    """Answers a ping and tells the sender's load."""

    token: Annotated[int, Meta(ge=0, le=MAX_CALL_ID)]
    running: Count = 0
    """Calls that run on the sender now, over all its connections."""
    limit: Count = 0
    """How many it runs at most; 0 where it serves none."""


class GoAway(_Message, frozen=True, tag=22):
    """Announces that the sender will close: after the open calls for ``draining``, at once for other codes."""

    code: Name
    message: Text


Greeting: TypeAlias = ClientHello | ServerHello | Proof | Refused
Message: TypeAlias = Call | Result | Error | Cancel | Ping | Pong | GoAway

encode = msgspec.msgpack.Encoder().encode
"""Encode a message as a frame's body."""
_greetings: msgspec.msgpack.Decoder[Greeting] = msgspec.msgpack.Decoder(Greeting)
_messages: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
decode_greeting = _greetings.decode
"""Decode a frame's body during the handshake."""
decode_message = _messages.decode
"""Decode a frame's body after the handshake."""
