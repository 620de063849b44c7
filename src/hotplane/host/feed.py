"""What happens to plugins, for whoever listens: bounded queues, the oldest goes when a listener is slow.

Imports nothing of Hotplane. It belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Generic, Self, TypeVar

__all__ = ["Feed", "Subscription"]

T = TypeVar("T")


class Subscription(Generic[T]):
    """An asynchronous iterator over what happens from now on; close it, or use it as a context manager."""

    def __init__(self, feed: Feed[T], limit: int) -> None:
        self._feed = feed
        self._waiting: deque[T] = deque(maxlen=limit)
        self._wakeup = asyncio.Event()
        self._closed = False
        self.dropped = 0
        """Items that this listener was too slow for."""

    def close(self) -> None:
        """Listen no more; what waits is still handed out."""
        self._feed.forget(self)
        self._closed = True
        self._wakeup.set()

    def put(self, item: T) -> None:
        """Take an item in."""
        if len(self._waiting) == self._waiting.maxlen:
            self.dropped += 1
        self._waiting.append(item)
        self._wakeup.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._wakeup.clear()
            await self._wakeup.wait()
        return self._waiting.popleft()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Feed(Generic[T]):
    """Hands every item to every listener."""

    def __init__(self) -> None:
        self._listeners: list[Subscription[T]] = []

    def subscribe(self, limit: int = 1000) -> Subscription[T]:
        """Listen from now on.

        Args:
            limit: Items that may wait; with more of them the oldest is dropped and counted.
        """
        subscription = Subscription(self, limit)
        self._listeners.append(subscription)
        return subscription

    def publish(self, item: T) -> None:
        """Hand an item out; nobody is waited for."""
        for listener in self._listeners:
            listener.put(item)

    def forget(self, subscription: Subscription[T]) -> None:
        """Hand nothing more to a listener."""
        if subscription in self._listeners:
            self._listeners.remove(subscription)

    def close(self) -> None:
        """End every subscription."""
        for listener in list(self._listeners):
            listener.close()
