"""A host in a process of its own, which ends itself with SIGKILL at a chosen moment.

Run with a configuration as JSON, the number of events, and ``before-send``, ``before-acknowledgement`` or ``never``.
Prints the ids of what it has committed, one a line, then waits.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

from hotplane import Hotplane
from hotplane.events.calling import Caller
from tests.integration.events.scene import emit

call = Caller.call


async def die_before(*_: Any, **__: Any) -> None:
    """End the process instead of handing over."""
    os.kill(os.getpid(), signal.SIGKILL)


async def die_after(*arguments: Any, **options: Any) -> None:
    """Hand over, and end the process."""
    await call(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)


async def main(config: str, count: int, moment: str) -> None:
    """Commit the events, tell, and deliver."""
    if moment == "before-send":
        Caller.call = die_before  # type: ignore[assignment, method-assign]
    elif moment == "before-acknowledgement":
        Caller.call = die_after  # type: ignore[assignment, method-assign]
    host = Hotplane.from_config(json.loads(config))
    await host.start()
    sent = await emit(host, count) if count else []
    print("\n".join(sent), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
