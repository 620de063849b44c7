"""A receiver in a process of its own: notes every event that it took, and misbehaves on request.

Run with the file to note in, and ``tls`` for a certificate that nobody vouches for.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from pathlib import Path

from aiohttp import web

PIECE = b"x" * 65_536


class Receiver:
    """What it does is changed by `POST /mode` while it runs."""

    def __init__(self, notes: Path) -> None:
        self._notes = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._mode: dict[str, object] = {"kind": "ok"}
        self._changed = asyncio.Event()

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Answer one delivery."""
        name = request.headers.get("webhook-id", "?")
        await request.read()
        kind, status = self._mode["kind"], int(str(self._mode.get("status", 200)))
        if kind == "ok":
            os.write(self._notes, f"{name}\n".encode())
            return web.Response(text="thank you")
        if kind == "hang":
            await self._changed.wait()
            return web.Response(status=503)
        if kind in ("slow", "endless"):
            return await self._stream(request, slowly=kind == "slow")
        headers = {str(key): str(value) for key, value in dict(self._mode.get("headers", {})).items()}  # type: ignore[call-overload]
        return web.Response(status=status, headers=headers, text=f"status {status}")

    async def change(self, request: web.Request) -> web.Response:
        """Behave otherwise from now on."""
        self._mode = json.loads(await request.read())
        self._changed.set()  # whoever was kept waiting comes again
        self._changed = asyncio.Event()
        return web.Response()

    async def _stream(self, request: web.Request, *, slowly: bool) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        changed = self._changed
        while not changed.is_set():
            await answer.write(b"x" if slowly else PIECE)
            await asyncio.sleep(1.0 if slowly else 0.0)
        assert request.transport is not None
        request.transport.abort()
        return answer


async def main(notes: Path, port: int, certificate: Path | None) -> None:
    """Serve until the process is ended; the first line of output is the port."""
    receiver = Receiver(notes)
    application = web.Application()
    application.add_routes([web.post("/hook", receiver.take), web.post("/mode", receiver.change)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=context, reuse_address=True)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None))
