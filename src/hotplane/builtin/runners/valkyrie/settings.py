"""What can be set about the Valkyrie runner, and its secret. Imports only `errors`, `plugins` and `valkyrie`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import ConfigDict, Field, SecretBytes, field_validator, model_validator

from hotplane.errors import ConfigurationError, PluginMisconfigured
from hotplane.plugins import Config
from hotplane.valkyrie import ClientSettings, Endpoint, InvalidEndpoint, InvalidSecret, TlsSettings
from hotplane.valkyrie.tls import client_context

__all__ = ["MAX_ENDPOINTS", "Plan", "ValkyrieConfig", "plan"]

MAX_ENDPOINTS = 32
"""A health report names every endpoint and has to stay within the 8 KiB that a host keeps of it."""

Milliseconds = Annotated[int, Field(ge=1, le=3_600_000)]


class ValkyrieConfig(Config):
    """Settings of the Valkyrie runner."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    endpoint: str = "tcp://localhost:8080"
    """The worker's address: `tcp://host:port`, `tls://host:port` or `unix:///path`."""
    endpoints: Annotated[tuple[str, ...], Field(max_length=MAX_ENDPOINTS)] = ()
    """The addresses of several workers, instead of `endpoint`; calls go to the one that is least loaded."""
    connect_timeout_ms: Milliseconds = 5_000
    """Time for a connection, in milliseconds, TLS and handshake included."""
    request_timeout_ms: Milliseconds = 30_000
    """Time for one execution, in milliseconds, where the task's deadline is not sooner."""
    max_connections: Annotated[int, Field(ge=1, le=10_000)] = 100
    """The most connections that `endpoints` and `connections_per_endpoint` may come to."""
    pooling: bool = True
    """`false` keeps one connection to each endpoint, whatever `connections_per_endpoint` says."""
    connections_per_endpoint: Annotated[int, Field(ge=1, le=64)] = 2
    """Connections to each endpoint. Few are enough: each carries many calls at once, as many as the worker grants."""
    health_check_interval: Annotated[float, Field(gt=0, le=3_600, allow_inf_nan=False)] = 30.0
    """Seconds between two pings on each connection."""
    reconnect_min_ms: Milliseconds = 100
    """The wait after the first failed attempt to connect, in milliseconds; it doubles with each further one."""
    reconnect_max_ms: Milliseconds = 5_000
    """The longest wait between two attempts to connect, in milliseconds."""
    metrics: bool = True
    """Whether round-trip times are measured."""
    enable_fallback: bool = True
    """Whether the host may send executions to the runners behind this one while no worker can be reached."""
    secret_file: Path | None = None
    """A file with the secret that the workers share; nobody else should be able to read it."""
    secret_env: str | None = None
    """The environment variable that holds the secret, instead of a file."""
    allow_plaintext: bool = False
    """Whether `tcp://` may reach beyond this machine: readable and changeable by whoever sits between."""
    tls: TlsSettings | None = None
    """Certificate files for `tls://` endpoints; by default the system's authorities are trusted."""
    max_frame_bytes: Annotated[int, Field(ge=4_096, le=2**31 - 1)] = 16 * 1024 * 1024
    """The largest answer, in bytes."""

    @field_validator("endpoint")
    @classmethod
    def _is_an_endpoint(cls, text: str) -> str:
        _parse(text)
        return text

    @field_validator("endpoints")
    @classmethod
    def _are_endpoints(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        parsed = [_parse(text) for text in texts]
        for index, endpoint in enumerate(parsed):
            if endpoint in parsed[:index]:
                raise ValueError(f"{endpoint} is there twice; raise `connections_per_endpoint` for more connections")
        return texts

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.endpoints and "endpoint" in self.model_fields_set:
            raise ValueError("`endpoint` and `endpoints` exclude each other")
        if self.secret_file is not None and self.secret_env is not None:
            raise ValueError("`secret_file` and `secret_env` exclude each other")
        if self.reconnect_max_ms < self.reconnect_min_ms:
            raise ValueError("`reconnect_max_ms` is less than `reconnect_min_ms`")
        if len(self.workers) * self.connections_each > self.max_connections:
            raise ValueError(
                f"{len(self.workers)} endpoints with {self.connections_each} connections each are more than "
                f"`max_connections`, {self.max_connections}"
            )
        return self

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        for worker in self.workers:
            if worker.scheme == "tcp" and not (worker.is_local or self.allow_plaintext):
                raise ValueError(
                    f"{worker} is beyond this machine and not encrypted; use `tls://`, or set `allow_plaintext` "
                    "where the network is trusted"
                )
            if worker.scheme != "tls" and self.tls is not None:
                raise ValueError(f"`tls` has no effect on {worker}; write `tls://`, or leave `tls` away")
        return self

    @property
    def workers(self) -> tuple[Endpoint, ...]:
        """The endpoints, parsed."""
        return tuple(Endpoint.parse(text) for text in self.endpoints or (self.endpoint,))

    @property
    def connections_each(self) -> int:
        """How many connections each endpoint gets."""
        return self.connections_per_endpoint if self.pooling else 1


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a pool needs to know."""

    workers: tuple[Endpoint, ...]
    connections_each: int
    client: ClientSettings
    health_check_seconds: float
    reconnect_min_seconds: float
    reconnect_max_seconds: float


def plan(config: ValkyrieConfig) -> Plan:
    """Read the secret, try the certificates, and return what a pool needs.

    Raises:
        PluginMisconfigured: The secret or a certificate file cannot be used. The message does not repeat the secret.
    """
    try:
        client = ClientSettings(
            secret=_secret(config),
            allow_plaintext=config.allow_plaintext,
            tls=config.tls,
            max_frame_bytes=config.max_frame_bytes,
            connect_timeout_seconds=config.connect_timeout_ms / 1e3,
        )
        client.read_secret()
        if any(worker.scheme == "tls" for worker in config.workers):
            client_context(config.tls)
    except (InvalidSecret, ConfigurationError) as error:
        raise PluginMisconfigured(str(error)) from None
    return Plan(
        workers=config.workers,
        connections_each=config.connections_each,
        client=client,
        health_check_seconds=config.health_check_interval,
        reconnect_min_seconds=config.reconnect_min_ms / 1e3,
        reconnect_max_seconds=config.reconnect_max_ms / 1e3,
    )


def _secret(config: ValkyrieConfig) -> SecretBytes | None:
    """Read the secret once: reconnecting must not depend on the file, nor warn of its permissions again and again."""
    if config.secret_env is not None:
        text = os.environ.get(config.secret_env)
        if text is None:
            raise InvalidSecret(f"the environment variable {config.secret_env!r} is not set")
        return SecretBytes(text.strip().encode(errors="surrogateescape"))
    secret = ClientSettings(secret_file=config.secret_file).read_secret()
    return None if secret is None else SecretBytes(secret)


def _parse(text: str) -> Endpoint:
    try:
        endpoint = Endpoint.parse(text)
    except InvalidEndpoint as error:
        raise ValueError(str(error)) from None
    if endpoint.scheme != "unix" and not endpoint.port:
        raise ValueError(str(InvalidEndpoint(text, "nobody can connect to port 0")))
    return endpoint
