"""Run with ``python -m examples.client.stream``: send messages as they come and read the answers at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from hotplane.client import AsyncClient, Item

MESSAGES = ("See you at eight", "You won a prize! Call now", "Ok", "Free entry, text WIN to 80085")


async def arriving() -> AsyncIterator[Item]:
    """Yield messages one after another, as a queue or a socket would give them."""
    for number, text in enumerate(MESSAGES, start=1):
        yield Item(input={"text": text}, id=f"message-{number}")
        await asyncio.sleep(0.05)


async def main() -> None:
    """Print each answer when it is there; a lost connection or a restart of the host goes unnoticed."""
    async with AsyncClient() as client, client.stream("spam-detector", arriving()) as stream:
        async for result in stream:
            print(f"{result.item_id}: {result.output}")
    if stream.status is not None:
        print(f"{stream.status.state}: {stream.status.counts.succeeded} of {stream.status.items}")


if __name__ == "__main__":
    asyncio.run(main())
