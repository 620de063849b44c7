"""Programs that have been loaded: each is imported once, however many ask for it. Imports only `loading`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from hotplane.programs.loading import Program

__all__ = ["MAX_CACHED", "ProgramCache"]

MAX_CACHED = 1_000
"""Loaded programs that are remembered; beyond that the oldest is looked up again when it is next needed."""


class ProgramCache:
    """Remembers programs; whoever asks for one that is being imported waits for the same import.

    Args:
        load: Imports a program. What it raises is not remembered: the file may be mended meanwhile.
    """

    def __init__(self, load: Callable[[str], Coroutine[None, None, Program]]) -> None:
        self._import = load
        self._loaded: dict[str, Program] = {}
        self._loading: dict[str, asyncio.Task[Program]] = {}

    def __len__(self) -> int:
        return len(self._loaded)

    def __contains__(self, spec: str) -> bool:
        return spec in self._loaded

    def get(self, spec: str) -> Program | None:
        """Return a program that is loaded already."""
        return self._loaded.get(spec)

    async def load(self, spec: str, seconds: float | None = None) -> Program:
        """Have a program imported, and remember it.

        Args:
            spec: ``package.module:function``.
            seconds: How long to wait for the import; None for its own limit.

        Raises:
            TimeoutError: It is still being imported; the import goes on.
            HotplaneError: What the import raises.
        """
        loading = self._loading.get(spec)
        if loading is None:
            loading = self._loading[spec] = asyncio.create_task(self._import(spec))
            loading.add_done_callback(lambda done: self._keep(spec, done))
        # Waiting, unlike awaiting, does not cancel the import that others wait for.
        await asyncio.wait((loading,), timeout=None if seconds is None else max(0.0, seconds))
        if not loading.done():
            raise TimeoutError
        return loading.result()

    def _keep(self, spec: str, loading: asyncio.Task[Program]) -> None:
        del self._loading[spec]
        if loading.cancelled() or loading.exception() is not None:
            return
        if len(self._loaded) >= MAX_CACHED:
            del self._loaded[next(iter(self._loaded))]
        self._loaded[spec] = loading.result()
