"""The worker: a process that runs programs for hosts, over Valkyrie and over HTTP.

Imports only `valkyrie`, `programs`, `plugins`, `values`, `log` and `errors`.
"""

from hotplane.worker.failures import (
    CpuBoundWithoutPattern,
    HttpDoorOpen,
    HttpNotEncrypted,
    InvalidHttpAddress,
    NothingMatches,
    ProcessesDidNotStart,
)
from hotplane.worker.service import Worker
from hotplane.worker.serving import serve
from hotplane.worker.settings import WorkerSettings

__all__ = [
    "CpuBoundWithoutPattern",
    "HttpDoorOpen",
    "HttpNotEncrypted",
    "InvalidHttpAddress",
    "NothingMatches",
    "ProcessesDidNotStart",
    "Worker",
    "WorkerSettings",
    "serve",
]
