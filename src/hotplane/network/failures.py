"""What can go wrong with a request, and whether the other side may have had it. Imports only `errors`.

Messages name scheme, host and port, never userinfo, path or query: any of these may hold a secret::

    HotplaneError
    ├── OutboundFailed
    │   ├── AddressRefused, NoConnection      (nothing was sent)
    │   ├── NoAnswer                          (`sent` tells)
    │   └── AnswerLost, AnswerTooLarge        (it was sent)
    └── Invalid
        └── InvalidAddress

`LookupFailed` is the reason of some `NoConnection` and stays inside this room.
"""

from __future__ import annotations

from hotplane.errors import HotplaneError, Invalid

__all__ = [
    "AddressRefused",
    "AnswerLost",
    "AnswerTooLarge",
    "InvalidAddress",
    "LookupFailed",
    "NoAnswer",
    "NoConnection",
    "OutboundFailed",
]


class InvalidAddress(Invalid):
    """This is not the address of a server: {reason}. Write `http://host:port` or `https://host:port`."""

    code = "invalid-address"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()


class OutboundFailed(HotplaneError):
    """The request did not get an answer."""

    code = "outbound-failed"
    sent: bool = True
    """Whether the other side may have had the request."""


class AddressRefused(OutboundFailed):
    """Requests to {origin} are not allowed: {reason}."""

    code = "address-refused"
    sent = False

    def __init__(self, origin: str, reason: str) -> None:
        self.origin = origin
        self.reason = reason
        super().__init__()


class NoConnection(OutboundFailed):
    """No connection to {origin}: {reason}."""

    code = "no-connection"
    sent = False

    def __init__(self, origin: str, reason: str) -> None:
        self.origin = origin
        self.reason = reason
        super().__init__()


class NoAnswer(OutboundFailed, TimeoutError):
    """{origin} did not answer within {seconds:.3g} s ({stage})."""

    code = "no-answer"

    def __init__(self, origin: str, seconds: float, *, sent: bool) -> None:
        self.origin = origin
        self.seconds = seconds
        self.sent = sent
        self.stage = "the request was sent" if sent else "there was no connection yet"
        super().__init__()


class AnswerLost(OutboundFailed):
    """The answer of {origin} cannot be used: {reason}."""

    code = "answer-lost"

    def __init__(self, origin: str, reason: str) -> None:
        self.origin = origin
        self.reason = reason
        super().__init__()


class AnswerTooLarge(OutboundFailed):
    """The answer of {origin} is longer than {limit} bytes. Raise the limit, or ask for less."""

    code = "answer-too-large"

    def __init__(self, origin: str, limit: int) -> None:
        self.origin = origin
        self.limit = limit
        super().__init__()


class LookupFailed(OSError):
    """The addresses of a name are not known; `reason` says why, without the name."""

    def __init__(self, reason: str = "its name cannot be looked up") -> None:
        self.reason = reason
        super().__init__(reason)
