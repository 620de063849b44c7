"""What an operator may set about a worker. Imports only `valkyrie`, `programs` and `failures`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator, model_validator

from hotplane.programs import ProgramSettings
from hotplane.programs.settings import ModulePattern
from hotplane.valkyrie import Endpoint, ServerSettings, TlsSettings
from hotplane.worker.failures import CpuBoundWithoutPattern, HttpDoorOpen, HttpNotEncrypted, InvalidHttpAddress

__all__ = ["HttpAddress", "WorkerSettings"]

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750, section 2.1."""
_CLOSING_SECONDS = 0.25
"""Less than Valkyrie's default, so that a drain that had to use force still ends within its grace and a second."""
_ADDRESS = re.compile(r"(?:(?P<scheme>[a-z]+)://)?(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:/\[\]@?#]+):(?P<port>\d{1,5})/?")


class HttpAddress(BaseModel):
    """Where the HTTP door is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scheme: Literal["http", "https"]
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> HttpAddress:
        """Read ``host:port``, ``http://host:port`` or ``https://host:port``.

        Raises:
            InvalidHttpAddress: It is none of them.
        """
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise InvalidHttpAddress(text, "it needs a host and a port, and nothing else")
        scheme = match["scheme"] or "http"
        if scheme not in {"http", "https"}:
            raise InvalidHttpAddress(text, f"the scheme {scheme!r} is unknown")
        port = int(match["port"])
        if port > 65_535:
            raise InvalidHttpAddress(text, "the port is not a number from 0 to 65535")
        return cls(scheme="https" if scheme == "https" else "http", host=match["host"].strip("[]"), port=port)

    @property
    def endpoint(self) -> Endpoint:
        """The socket's address; one that is local cannot be reached from another machine."""
        return Endpoint("tcp", self.host, self.port)

    def __str__(self) -> str:
        """Return the address as a URL."""
        return f"{self.scheme}://" + str(self.endpoint).removeprefix("tcp://")


class WorkerSettings(BaseModel):
    """Everything about a worker; the command line's options are its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    listen: str = "tcp://127.0.0.1:8080"
    """Where Valkyrie is spoken: ``tcp://host:port``, ``tls://host:port`` or ``unix:///path``."""
    http: str | None = None
    """Where HTTP is spoken: ``host:port`` or ``https://host:port``; none for nowhere."""
    programs: Annotated[tuple[ModulePattern, ...], Field(min_length=1)]
    """The modules that programs may come from, as `ProgramSettings.allow` has it."""
    paths: tuple[Path, ...] = ()
    """Folders in which programs are looked for after everything on `sys.path`."""
    max_threads: Annotated[int, Field(ge=1, le=1024)] = 32
    """Threads that run sync programs."""
    max_stuck: Annotated[int, Field(ge=1, le=1024)] = 16
    """With this many threads hanging in overrun programs the worker is not ready."""
    cpu_bound: tuple[Annotated[str, StringConstraints(min_length=1, max_length=300)], ...] = ()
    """The programs that run in processes of their own: patterns over modules, or over ``module:function``."""
    processes: Annotated[int | None, Field(ge=1, le=1024)] = None
    """How many such processes there are; by default as many as the machine has processors."""
    max_concurrency: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    """Calls at once, through both doors; more are refused."""
    secret_file: Path | None = None
    """The secret that Valkyrie's clients must know."""
    token: SecretStr | None = None
    """The bearer token that HTTP's clients must show."""
    tls: TlsSettings | None = None
    """Certificate files, for ``tls://`` and ``https://``."""
    allow_plaintext: bool = False
    """Whether either door may be beyond this machine without encryption."""
    drain_grace_seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 10.0
    """How long calls may go on after the first signal."""
    max_body_bytes: Annotated[int, Field(ge=4096, le=2**30)] = 16 * 1024 * 1024
    """The largest call and the largest result, in bytes."""
    max_http_connections: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """HTTP connections at once; more are closed."""
    http_request_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """Time for an HTTP request to arrive completely."""
    log_format: Literal["console", "json"] = "console"
    """How the processes for CPU-bound programs log."""

    @field_validator("token")
    @classmethod
    def _is_a_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and _TOKEN.fullmatch(token.get_secret_value()) is None:
            raise ValueError("it is empty, or has characters that no bearer token has")
        return token

    @model_validator(mode="after")
    def _processes_have_programs(self) -> Self:
        if self.processes is not None and not self.cpu_bound:
            raise CpuBoundWithoutPattern
        return self

    @property
    def process_count(self) -> int:
        """How many processes run CPU-bound programs."""
        return (self.processes or os.cpu_count() or 1) if self.cpu_bound else 0

    def http_address(self) -> HttpAddress | None:
        """Return where the HTTP door is; none where there is none.

        Raises:
            InvalidHttpAddress: It cannot be used, or needs a certificate that is not there.
            HttpDoorOpen: It is beyond this machine, and clients would need neither token nor certificate.
            HttpNotEncrypted: It is beyond this machine and not encrypted.
        """
        if self.http is None:
            return None
        address = HttpAddress.parse(self.http)
        if address.scheme == "https" and (self.tls is None or self.tls.cert_file is None):
            raise InvalidHttpAddress(self.http, "`https://` needs `--tls-cert`")
        if not address.endpoint.is_local:
            self._refuse_open_door(address)
        return address

    def _refuse_open_door(self, address: HttpAddress) -> None:
        asks_certificate = address.scheme == "https" and self.tls is not None and self.tls.ca_file is not None
        if self.token is None and not asks_certificate:
            raise HttpDoorOpen(str(address))
        if address.scheme == "http" and not self.allow_plaintext:
            raise HttpNotEncrypted(str(address))

    def for_programs(self) -> ProgramSettings:
        """Return what is set about programs in this process."""
        return ProgramSettings(
            allow=self.programs,
            paths=self.paths,
            max_threads=self.max_threads,
            max_stuck=self.max_stuck,
            queue_limit=self.max_concurrency,
        )

    def for_valkyrie(self) -> ServerSettings:
        """Return what is set about the Valkyrie door."""
        return ServerSettings(
            name="hotplane-worker",
            secret_file=self.secret_file,
            allow_plaintext=self.allow_plaintext,
            tls=self.tls,
            max_calls=self.max_concurrency,
            max_frame_bytes=self.max_body_bytes,
            max_buffered_bytes=max(64 * 1024 * 1024, 2 * self.max_body_bytes),
            closing_seconds=_CLOSING_SECONDS,
        )
