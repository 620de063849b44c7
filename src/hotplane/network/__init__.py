"""The guarded way out of runners and handlers: limits, no redirects, allowed addresses only.

The names below are imported when they are first used: reading a configuration needs the settings, and not aiohttp.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    from hotplane.network.guard import GuardedAddresses
    from hotplane.network.lookup import Lookups
    from hotplane.network.origins import origins_in
    from hotplane.network.outbounds import Outbounds
    from hotplane.network.settings import NetworkSettings, OutboundSettings

__all__ = [
    "AddressPolicy",
    "AddressRefused",
    "AllowedOrigins",
    "Answer",
    "AnswerLost",
    "AnswerTooLarge",
    "GuardedAddresses",
    "InvalidAddress",
    "Lookups",
    "NetworkSettings",
    "NoAnswer",
    "NoConnection",
    "Origin",
    "OutboundClient",
    "OutboundFailed",
    "OutboundSettings",
    "Outbounds",
    "origins_in",
]

_FILES = {
    "addresses": ("AddressPolicy", "AllowedOrigins", "Origin"),
    "client": ("Answer", "OutboundClient"),
    "failures": (
        "AddressRefused",
        "AnswerLost",
        "AnswerTooLarge",
        "InvalidAddress",
        "NoAnswer",
        "NoConnection",
        "OutboundFailed",
    ),
    "guard": ("GuardedAddresses",),
    "lookup": ("Lookups",),
    "origins": ("origins_in",),
    "outbounds": ("Outbounds",),
    "settings": ("NetworkSettings", "OutboundSettings"),
}
_PLACES = {name: file for file, names in _FILES.items() for name in names}


def __getattr__(name: str) -> object:
    file = _PLACES.get(name)
    if file is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{file}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
