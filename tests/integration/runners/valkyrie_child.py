"""A worker in a process of its own: echoes, or sleeps for the seconds that the input says under `sleep`."""

from __future__ import annotations

import asyncio
import sys

import msgspec

from hotplane.valkyrie import Call, serve


async def handle(call: Call) -> bytes:
    """Answer, after the asked time."""
    asked = msgspec.json.decode(call.payload)
    if isinstance(asked, dict) and "sleep" in asked:
        await asyncio.sleep(asked["sleep"])
    return call.payload


async def main() -> None:
    """Serve until the process ends."""
    server = await serve(sys.argv[1], handle)
    print(server.endpoint, flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
