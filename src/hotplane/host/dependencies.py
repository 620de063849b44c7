"""What plugins need of each other, over the slots of a host. Imports only `compatibility` and `slot`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hotplane.host.compatibility import Candidate, dependents_of, host_problem, start_order
from hotplane.host.slot import Slot
from hotplane.records import PluginMetadata, PluginState

__all__ = ["Dependencies"]


class Dependencies:
    """Answers what may start, and what must not stop.

    Args:
        slots: Every slot of the host, by id.
        host_version: PEP 440.
    """

    def __init__(self, slots: Mapping[str, Slot], host_version: str) -> None:
        self._slots = slots
        self.host_version = host_version

    def in_order(self, slots: Iterable[Slot]) -> list[Slot]:
        """Return slots in the order of their start; those that cannot start, or are not known yet, at the end."""
        slots = list(slots)
        candidates = {slot.spec.id: _candidate(slot, slot.metadata) for slot in slots if slot.metadata is not None}
        order = {plugin_id: place for place, plugin_id in enumerate(start_order(candidates, self.host_version).order)}
        return sorted(slots, key=lambda slot: order.get(slot.spec.id, len(order)))

    def host_problem(self, metadata: PluginMetadata) -> str | None:
        """Return why a plugin does not fit this host."""
        return host_problem(metadata.requires_host, self.host_version)

    def start_problem(self, slot: Slot, metadata: PluginMetadata) -> str | None:
        """Return why a plugin cannot start beside the others as they are now, or None."""
        if not metadata.requires:
            return None
        own = {slot.spec.id: _candidate(slot, metadata)}
        possible = self._candidates(self._slots.values())
        problem = start_order({**possible, **own}, self.host_version).refused.get(slot.spec.id)
        if problem is not None:
            return problem
        serving = self._candidates(other for other in self._slots.values() if _serves(other))
        problem = start_order({**serving, **own}, self.host_version).refused.get(slot.spec.id)
        return f"{problem}, or not active" if problem is not None else None

    def lost_by(self, slot: Slot, metadata: PluginMetadata) -> str | None:
        """Return which plugin could not go on with a new version of this one, as a sentence, or None."""
        serving = self._candidates(other for other in self._slots.values() if _serves(other))
        before = start_order(serving, self.host_version).refused
        after = start_order({**serving, slot.spec.id: _candidate(slot, metadata)}, self.host_version).refused
        lost = sorted(after.keys() - before.keys() - {slot.spec.id})
        return f"the plugin {lost[0]!r} cannot go on with it: {after[lost[0]]}" if lost else None

    def dependents_of(self, plugin_id: str) -> tuple[Slot, ...]:
        """Return the plugins that serve and cannot do without this one, the last started first."""
        serving = self._candidates(other for other in self._slots.values() if _serves(other))
        if plugin_id not in serving:
            return ()
        slots = (self._slots[each] for each in dependents_of(plugin_id, serving))
        return tuple(sorted(slots, key=lambda slot: -slot.activation))

    def _candidates(self, slots: Iterable[Slot]) -> dict[str, Candidate]:
        return {slot.spec.id: _candidate(slot, slot.metadata) for slot in slots if slot.metadata is not None}


def _candidate(slot: Slot, metadata: PluginMetadata) -> Candidate:
    return Candidate(metadata, slot.priority)


def _serves(slot: Slot) -> bool:
    return slot.lifecycle.state is PluginState.ACTIVE and slot.enabled
