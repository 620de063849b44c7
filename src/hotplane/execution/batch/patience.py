"""Trying again what a busy or full store refused. Imports only `errors`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from hotplane.errors import HotplaneError, ShuttingDown, StorageCorrupt, StorageFull, Unavailable

__all__ = ["delays", "insist", "passing"]

T = TypeVar("T")

_FIRST = 0.05
_LONGEST = 5.0


def delays() -> Iterator[float]:
    """Yield the seconds to wait before each next try: from a twentieth of a second, doubling, to five seconds."""
    delay = _FIRST
    while True:
        yield delay
        delay = min(_LONGEST, 2 * delay)


def passing(error: HotplaneError) -> bool:
    """Tell whether what was refused may succeed later in this process."""
    if isinstance(error, ShuttingDown):
        return False
    return isinstance(error, Unavailable | StorageFull | StorageCorrupt)


async def insist(call: Callable[[], Awaitable[T]], tell: Callable[[str | None], None]) -> T:
    """Return what `call` returns, once it does.

    Args:
        call: Reads or writes the store.
        tell: Told why it has to wait, and None when that is over.

    Raises:
        ShuttingDown: The store is closed.
        StorageError: The store refused this write, and would do so again.
    """
    waits, refused = delays(), False
    while True:
        try:
            result = await call()
        except HotplaneError as error:
            if not passing(error):
                raise
            refused = True
            tell(str(error))
        else:
            if refused:
                tell(None)
            return result
        await asyncio.sleep(next(waits))
