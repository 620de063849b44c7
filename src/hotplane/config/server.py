"""What an operator may set about the HTTP server and about logs. Imports only `section` and `values`."""

from __future__ import annotations

import re
from hashlib import sha256
from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from hotplane.config.section import Section, wrong
from hotplane.values import MAX_DEPTH

__all__ = ["LogSettings", "ServerSettings", "hash_token", "is_loopback"]

_TOKEN = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?|\[?[0-9a-f:.]+\]?")


def hash_token(token: str) -> str:
    """Return a bearer token as `server.tokens` lists it: ``sha256:`` and 64 hexadecimal digits."""
    return f"sha256:{sha256(token.encode()).hexdigest()}"


def is_loopback(host: str) -> bool:
    """Tell whether a socket bound to `host` can be reached from this machine only.

    A name other than ``localhost`` counts as reachable from elsewhere: what it resolves to may change.
    """
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class ServerSettings(Section):
    """The HTTP server: where it listens, who may call it, and how much it takes."""

    host: Annotated[str, Field(min_length=1, max_length=253)] = "127.0.0.1"
    """Address to listen on. Anything beyond loopback (127.0.0.0/8, ::1, localhost) needs a token."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 3000
    """Port to listen on; 0 takes any free one and prints it."""
    tokens: Annotated[tuple[str, ...], Field(max_length=1000, validate_default=True)] = ()
    """Bearer tokens that open the API, each as `sha256:` and the 64 hexadecimal digits of its SHA-256. Empty: no
    token is asked for."""
    allowed_hosts: Annotated[tuple[str, ...], Field(max_length=1000)] = ()
    """Names, without port, that the Host header of a request may have beside the loopback names."""
    max_body_bytes: Annotated[int, Field(ge=1, le=2**30)] = 1_048_576
    """Size of a request's body, in bytes; a larger one is answered with 413."""
    max_depth: Annotated[int, Field(ge=1, le=MAX_DEPTH)] = MAX_DEPTH
    """How deep the JSON of a request may be nested."""
    max_in_flight: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Requests that are worked on at once; more are answered with 503."""
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Connections that are open at once."""
    max_operations: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Operations on plugins that run at once, and ended ones that can still be asked for."""
    max_event_streams: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Clients that follow events, plugins, batches or streams at once."""
    event_queue: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Events that wait for one client; with more of them the oldest are dropped, and the client is told."""
    idempotency_hours: Annotated[float, Field(gt=0, le=8760, allow_inf_nan=False)] = 24.0
    """How long a repeated request with the same `Idempotency-Key` gets the answer of the first."""
    max_idempotency_keys: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Keys that are kept; the oldest go first, those of requests in flight never."""
    shutdown_grace_seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 10.0
    """Time that requests in flight get to finish when the server stops, in seconds."""

    @field_validator("tokens")
    @classmethod
    def _only_hashes(cls, tokens: tuple[str, ...]) -> tuple[str, ...]:
        for index, token in enumerate(tokens):
            if _TOKEN.fullmatch(token) is None:
                raise wrong(
                    "only the hash of a token is written here: `sha256:` and 64 lower-case hexadecimal digits, "
                    'as `printf %s "$TOKEN" | sha256sum` prints them',
                    f"/{index}",
                )
        return tokens

    @field_validator("allowed_hosts")
    @classmethod
    def _host_names(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for index, host in enumerate(hosts):
            if _HOST.fullmatch(host.lower()) is None:
                raise wrong("a host is a name or an address, without scheme, port and wildcard", f"/{index}")
        return tuple(host.lower() for host in hosts)

    @field_validator("tokens")
    @classmethod
    def _closed_unless_guarded(cls, tokens: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        host = str(info.data.get("host", "127.0.0.1"))
        if not tokens and not is_loopback(host):
            raise wrong(
                f"listening on {host!r} lets others in, and no token is set: add one to `server.tokens`, "
                "or listen on 127.0.0.1"
            )
        return tokens


class LogSettings(Section):
    """Logs, which go to stderr."""

    format: Literal["console", "json"] = "console"
    """`console` for people, `json` for programs: one object per line."""
    level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    """The least severe level that is written."""

    @field_validator("level", mode="before")
    @classmethod
    def _any_case(cls, level: object) -> object:
        return level.lower() if isinstance(level, str) else level
