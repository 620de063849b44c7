"""Who is on which chain: leases for runs that go over a chain's links by themselves, and the count per plugin.

Imports only `plugins` and `chain`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any, Generic, TypeVar
from weakref import ref

from hotplane.plugins import Plugin
from hotplane.registry.chain import Chain

__all__ = ["Lease", "LiveChains"]

P = TypeVar("P", bound="Plugin[Any]")


class Lease(Generic[P]):
    """Holds the current chain of a kind: none of its plugins is stopped before the lease ends.

    Args:
        current: Gives the current chain.
    """

    __slots__ = ("_chain", "_current")

    _chain: Chain[P]

    def __init__(self, current: Callable[[], Chain[P]]) -> None:
        self._current = current

    def __enter__(self) -> Chain[P]:
        # A chain is retired after its successor was published, so the second turn finds another one.
        while not (chain := self._current()).join():
            continue
        self._chain = chain
        return chain

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._chain.leave()


class LiveChains:
    """Every chain that somebody can still reach: the published ones, and old ones that are held.

    Not safe from several threads for writing; the registry's lock covers it.
    """

    def __init__(self) -> None:
        self._known: list[ref[Chain[Any]]] = []

    def publish(self, chains: Collection[Chain[Any]]) -> None:
        """Take new chains in, and forget those that are gone."""
        self._known = [known for known in self._known if known() is not None] + [ref(chain) for chain in chains]

    def retire(self, left: Collection[Plugin[Any]]) -> None:
        """Let nobody new on the chains of plugins that are plugged in no more."""
        gone = {id(plugin) for plugin in left}
        for chain in self._chains():
            if any(id(link.plugin) in gone for link in chain.links):
                chain.retired = True

    def users_of(self, plugin: Plugin[Any]) -> int:
        """Return how many runs are on chains with this plugin."""
        return sum(chain.users for chain in self._chains() if any(link.plugin is plugin for link in chain.links))

    def _chains(self) -> list[Chain[Any]]:
        return [chain for known in list(self._known) if (chain := known()) is not None]
