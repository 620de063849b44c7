"""Faults of the worker's process and of its door: dead, frozen, flapping, closed, silent, foreign.

Imports the harness.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from unittest.mock import patch

from hotplane.valkyrie import Call, ServerSettings, serve
from tests.integration.faults.certificates import make_certificates
from tests.integration.faults.gate import forward, reserve_port, silent
from tests.integration.faults.processes import Worker
from tests.integration.faults.results import Result
from tests.integration.faults.site import Site

__all__ = [
    "accepts_and_never_answers", "dns_fails", "expired_certificate", "flaps", "frozen", "killed",
    "newer_protocol_version", "refuses_connections", "wrong_secret",
]  # fmt: skip


async def killed(site: Site) -> Result:
    """SIGKILL in mid-call; the worker is started again at the same address."""
    place, port = reserve_port()
    workers = [await site.start_worker(listen=f"tcp://127.0.0.1:{port}")]

    async def fall() -> None:
        workers[0].process.kill()

    async def mend() -> None:
        workers[0].kill()
        workers.append(await site.start_worker(listen=workers[0].endpoint))

    try:
        async with site.load("worker killed with SIGKILL in mid-call", workers[0].endpoint) as load:
            await load.fault(fall, mend)
        return load.result()
    finally:
        for worker in workers:
            worker.kill()
        place.close()


async def frozen(site: Site) -> Result:
    """SIGSTOP, and SIGCONT when everybody has gone elsewhere."""
    worker = await site.start_worker()

    async def fall() -> None:
        worker.freeze()

    async def mend() -> None:
        worker.thaw()

    try:
        async with site.load("worker frozen with SIGSTOP and continued", worker.endpoint) as load:
            await load.fault(fall, mend, told="connection-lost")
        return load.result()
    finally:
        worker.kill()


async def accepts_and_never_answers(site: Site) -> Result:
    """Everything reaches the worker, and nothing comes back."""
    async with site.gated("accepts and never answers") as (load, gate):

        async def fall() -> None:
            gate.tamper = silent

        async def mend() -> None:
            gate.tamper = forward

        await load.fault(fall, mend, told="connection-lost")
    return load.result()


async def refuses_connections(site: Site) -> Result:
    """Connections are cut, and nobody listens any more."""
    async with site.gated("refuses connections") as (load, gate):
        await load.fault(gate.close, gate.open)
    return load.result()


async def flaps(site: Site, seconds: float = 0.5, times: int = 2) -> Result:
    """The door is closed for half a second and open for half a second, again and again."""
    async with site.gated("flaps every second") as (load, gate):

        async def flap() -> None:
            for _ in range(times):
                await gate.close()
                await asyncio.sleep(seconds)
                await gate.open()
                await asyncio.sleep(seconds)
            await gate.close()

        await load.fault(flap, gate.open, hold=seconds)
    return load.result()


async def newer_protocol_version(site: Site) -> Result:
    """The worker is replaced by one that speaks version 2 alone."""
    async with site.gated("replaced by a newer protocol version") as (load, gate):

        async def fall() -> None:
            gate.versions = (2,)
            gate.cut()

        async def mend() -> None:
            gate.versions = None

        await load.fault(fall, mend)
    return load.result()


async def _never(call: Call) -> bytes:
    return b'"of a worker that must not be trusted"'


async def wrong_secret(site: Site) -> Result:
    """Somebody else with another secret listens at the worker's address."""
    stranger = await serve(
        "tcp://127.0.0.1:0", _never, ServerSettings.model_validate({"secret": b"another secret, truly"})
    )
    try:
        async with site.gated("wrong secret") as (load, gate):

            async def fall() -> None:
                gate.target = stranger.endpoint.port
                gate.cut()

            async def mend() -> None:
                gate.target = site.worker.port

            await load.fault(fall, mend)
        return load.result()
    finally:
        await stranger.close()


async def expired_certificate(site: Site) -> Result:
    """The worker comes back with a certificate whose time is over."""
    files = await asyncio.to_thread(make_certificates, site.folder)
    worker = await _tls_worker(site, files)
    tls = {"cert_file": str(files / "expired.pem"), "key_file": str(files / "expired.key")}
    expired = await serve("tls://127.0.0.1:0", _never, ServerSettings.model_validate({"tls": tls}))
    try:
        async with site.gate(worker.port) as gate:
            gate.raw = True
            endpoint, trusted = f"tls://127.0.0.1:{gate.port}", {"ca_file": str(files / "ca.pem")}
            async with site.load("expired certificate", endpoint, tls=trusted) as load:

                async def fall() -> None:
                    gate.target = expired.endpoint.port
                    gate.cut()

                async def mend() -> None:
                    gate.target = worker.port

                await load.fault(fall, mend)
        return load.result()
    finally:
        await expired.close()
        worker.kill()


async def _tls_worker(site: Site, files: Path) -> Worker:
    given = ("--tls-cert", str(files / "server.pem"), "--tls-key", str(files / "server.key"))
    return await site.start_worker(*given, listen="tls://127.0.0.1:0")


async def dns_fails(site: Site) -> Result:
    """Connections are cut, and no name can be looked up any more, that of the HTTP worker included."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    resolver = patch.object(socket, "getaddrinfo", fail)
    http = f"http://localhost:{site.standby.http_port}"
    async with site.gate() as gate:
        secret = str(site.secret)
        async with site.load("DNS fails", f"tcp://localhost:{gate.port}", http=http, secret_file=secret) as load:

            async def fall() -> None:
                resolver.start()
                gate.cut()

            async def mend() -> None:
                resolver.stop()

            try:
                await load.fault(fall, mend)
            finally:
                patch.stopall()
    return load.result()
