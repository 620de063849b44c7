"""What keeps a worker from starting. Imports only `errors`."""

from __future__ import annotations

from hotplane.errors import Invalid

__all__ = [
    "CpuBoundWithoutPattern",
    "HttpDoorOpen",
    "HttpNotEncrypted",
    "InvalidHttpAddress",
    "NothingMatches",
    "ProcessesDidNotStart",
]


class NothingMatches(Invalid):
    """The pattern {pattern!r} of `--programs` allows nothing that can be imported: {reason}.

    Write a module such as `examples.spam`, or a pattern such as `mycompany.*`; `--path` adds a folder to look in.
    """

    code = "nothing-matches"

    def __init__(self, pattern: str, reason: str) -> None:
        self.pattern = pattern
        self.reason = reason
        super().__init__()


class CpuBoundWithoutPattern(Invalid):
    """`--processes` has nothing to run: name the programs that go to processes with `--cpu-bound`."""

    code = "cpu-bound-without-pattern"


class InvalidHttpAddress(Invalid):
    """The address {address!r} cannot be used: {reason}. Write `host:port`, or `https://host:port` with `--tls-cert`."""

    code = "invalid-http-address"

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__()


class HttpDoorOpen(Invalid):
    """{address} would let anybody on the network run programs.

    Put a bearer token into the environment variable HOTPLANE_WORKER_TOKEN, or use `https://` with `--tls-ca`, which
    asks clients for a certificate.
    """

    code = "http-door-open"

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__()


class HttpNotEncrypted(Invalid):
    """{address} is beyond this machine and not encrypted.

    Use `https://` with `--tls-cert`, or `--allow-plaintext` where the network is trusted.
    """

    code = "http-not-encrypted"

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__()


class ProcessesDidNotStart(Invalid):
    """A process for CPU-bound programs did not start: {reason}."""

    code = "processes-did-not-start"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()
