"""What can be set about outbound requests. Imports only this room's `addresses`, `failures` and `ranges`."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_interface, ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from hotplane.network.addresses import Origin
from hotplane.network.failures import InvalidAddress
from hotplane.network.ranges import IPNetwork

__all__ = ["NetworkSettings", "OutboundSettings"]

Seconds = Annotated[float, Field(gt=0.0, le=3_600.0)]


class OutboundSettings(BaseModel):
    """Limits of one client."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    connect_timeout_seconds: Seconds = 5.0
    """Time for a connection, waiting for a free one, name lookup and TLS included."""
    timeout_seconds: Seconds = 30.0
    """Time for a request and its answer, all in all."""
    max_answer_bytes: int = Field(default=10 * 1024 * 1024, ge=1, le=1024**3)
    """Size of an answer's body, as sent and also when unpacked."""
    max_header_bytes: int = Field(default=16 * 1024, ge=1024, le=1024**2)
    """Size of an answer's status line, and of any one header."""
    max_headers: int = Field(default=128, ge=1, le=10_000)
    """Headers of an answer (aiohttp: 128)."""
    max_connections: int = Field(default=100, ge=1, le=10_000)
    """Connections at a time; further requests wait for a free one."""
    keepalive_seconds: Seconds = 15.0
    """How long an idle connection is kept (aiohttp: 15 s)."""


def _network(text: str) -> str:
    """Return a network as it is usually written.

    Raises:
        ValueError: It is none; one with host bits set is told its network.
    """
    with suppress(ValueError):  # what it is instead decides the advice
        return str(ip_network(text))
    try:
        inside = ip_interface(text)
    except ValueError:
        raise ValueError(
            f"{text[:60]!r} is not a network; write an address and the length of its prefix, such as 10.0.0.0/8 or "
            "fd00::/8, or an address alone"
        ) from None
    raise ValueError(
        f"{text!r} is an address inside a network; write {str(inside.network)!r} for the network, "
        f"or {str(inside.ip)!r} for the address alone"
    )


class NetworkSettings(BaseModel):
    """Whom plugins may ask, and the limits of their requests.

    A plugin may ask any server on the public internet. A server that the file names in that plugin's `configuration`
    it may ask wherever that is, on exactly that port. An address that came by the API gets neither exception.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    allow: Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], Field(max_length=1_000)] = ()
    """Networks off the public internet that every plugin may ask, such as `10.20.0.0/16` or `fd12::/16`."""
    proxy: Annotated[str | None, Field(repr=False)] = None
    """The HTTP proxy that requests of plugins go through, such as `http://proxy.example.com:3128`; the `http` runner
    and protocols other than HTTP go straight. Weaker than no proxy: targets are looked up and checked here before, but
    it is the proxy that connects."""
    connect_timeout_seconds: Seconds = 5.0
    """Time for a connection, in seconds: waiting for a free one, name lookup and TLS included."""
    timeout_seconds: Seconds = 30.0
    """Time for a request and its answer, in seconds, all in all."""
    lookup_timeout_seconds: Seconds = 5.0
    """Time for looking a name up, in seconds."""
    lookup_threads: Annotated[int, Field(ge=1, le=256)] = 8
    """Names that are looked up at a time; a lookup that hangs counts until it returns."""
    max_answer_bytes: Annotated[int, Field(ge=1, le=1024**3)] = 10 * 1024 * 1024
    """Size of an answer's body, as sent and also when unpacked."""
    max_header_bytes: Annotated[int, Field(ge=1024, le=1024**2)] = 16 * 1024
    """Size of an answer's status line, and of any one header."""
    max_headers: Annotated[int, Field(ge=1, le=10_000)] = 128
    """Headers of an answer."""
    max_connections: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Connections of one plugin at a time; its further requests wait."""
    keepalive_seconds: Seconds = 15.0
    """How long an idle connection is kept, in seconds."""

    @field_validator("proxy")
    @classmethod
    def _is_a_proxy(cls, proxy: str | None) -> str | None:
        if proxy is None:
            return None
        try:
            Origin.of(proxy)
        except InvalidAddress as error:
            raise ValueError(str(error)) from None
        parts = urlsplit(proxy)
        if parts.path not in {"", "/"} or parts.query or parts.fragment:
            raise ValueError("a proxy has no path; write only scheme, host and port")
        return proxy

    @property
    def networks(self) -> tuple[IPNetwork, ...]:
        """What `allow` names."""
        return tuple(ip_network(text) for text in self.allow)

    def outbound(self) -> OutboundSettings:
        """Return the limits of one plugin's client."""
        return OutboundSettings(**{name: getattr(self, name) for name in OutboundSettings.model_fields})
