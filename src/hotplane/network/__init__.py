"""The guarded outbound HTTP client of runners and handlers: limits, no redirects, allowed addresses only."""

from hotplane.network.addresses import AddressPolicy, AllowedOrigins, Origin
from hotplane.network.client import Answer, OutboundClient
from hotplane.network.failures import (
    AddressRefused,
    AnswerLost,
    AnswerTooLarge,
    InvalidAddress,
    NoAnswer,
    NoConnection,
    OutboundFailed,
)
from hotplane.network.settings import OutboundSettings

__all__ = [
    "AddressPolicy",
    "AddressRefused",
    "AllowedOrigins",
    "Answer",
    "AnswerLost",
    "AnswerTooLarge",
    "InvalidAddress",
    "NoAnswer",
    "NoConnection",
    "Origin",
    "OutboundClient",
    "OutboundFailed",
    "OutboundSettings",
]
