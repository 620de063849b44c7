"""Run with ``python -m examples.client.single``: execute one task, look at the server, be refused."""

from __future__ import annotations

import asyncio

from hotplane.client import ApiInvalid, AsyncClient


async def main() -> None:
    """Ask the server of HOTPLANE_SERVER for one execution, and for how it is."""
    async with AsyncClient() as client:
        print("ready:", (await client.ready()).ready)
        found = await client.execute("spam-detector", {"text": "Win a free prize now"}, expected="spam")
        print(f"{found.status}: {found.output}")
        for plugin in await client.plugins():
            print(f"{plugin.kind} {plugin.id}: {plugin.state}")
        try:
            await client.execute("spam-detector", {"text": ""})
        except ApiInvalid as refusal:
            print(f"{refusal.code}: {refusal.problems[0]}")


if __name__ == "__main__":
    asyncio.run(main())
