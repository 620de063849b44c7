"""Keys under every order of claims, ends and deaths, against a model that is a dictionary."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hotplane.storage import KeyClaim, KeyRecord, KeyState, StorageSettings, Store

LEASE = 60
KEPT = 500

keys = st.sampled_from(["x", "y"])
holders = st.sampled_from(["a", "b", "c"])
prints = st.sampled_from([None, "f", "g"])


@dataclass
class Entry:
    """A key as it should be."""

    holder: str | None
    lease_until: int
    outcome: str
    fingerprint: str | None
    finished_at: int | None = None


class Keys(RuleBasedStateMachine):
    """Three hosts, two keys, and a clock."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.store = self.runner.run(Store.open(StorageSettings(url=str(Path(self.folder.name) / "keys.db"))))
        self.model: dict[str, Entry] = {}
        self.dead: set[str] = set()
        self.now = 10 * KEPT
        self.numbers = count()

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()
        self.folder.cleanup()

    @rule(seconds=st.sampled_from([1, LEASE, LEASE + 1, KEPT + 1]))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(holder=holders)
    def die(self, holder: str) -> None:
        self.dead.add(holder)

    @rule(key=keys, holder=holders, fingerprint=prints, take_over=st.booleans())
    def claim(self, key: str, holder: str, fingerprint: str | None, take_over: bool) -> None:
        self.dead.discard(holder)
        outcome = f"outcome-{next(self.numbers)}"
        expected = self.expect(key, holder, fingerprint, take_over)
        claim = KeyClaim(
            key=key,
            holder=holder,
            record=KeyRecord(outcome_id=outcome, fingerprint=fingerprint),
            now=self.now,
            lease_until=self.now + LEASE,
            expired_at=self.now - KEPT,
            is_dead=self.dead.__contains__,
            take_over=take_over,
        )
        made = self.runner.run(self.store.idempotency.claim(claim))
        assert made.state is expected
        if expected is KeyState.NEW:
            self.model[key] = Entry(holder, self.now + LEASE, outcome, fingerprint)
        elif expected is KeyState.TAKEN_OVER:
            self.model[key].holder, self.model[key].lease_until = holder, self.now + LEASE
        assert made.found.outcome_id == self.model[key].outcome

    def expect(self, key: str, holder: str, fingerprint: str | None, take_over: bool) -> KeyState:
        entry = self.model.get(key)
        if entry is None or (entry.finished_at or entry.lease_until) < self.now - KEPT:
            return KeyState.NEW
        gone = entry.holder in (None, holder) or entry.holder in self.dead or entry.lease_until < self.now
        if entry.finished_at is None and not gone:
            return KeyState.IN_FLIGHT
        if fingerprint and entry.fingerprint and fingerprint != entry.fingerprint:
            return KeyState.REUSED
        if entry.finished_at is not None:
            return KeyState.FINISHED
        return KeyState.TAKEN_OVER if take_over else KeyState.LEFT

    def ours(self, key: str, holder: str) -> Entry | None:
        entry = self.model.get(key)
        return entry if entry is not None and entry.holder == holder and entry.finished_at is None else None

    @rule(key=keys, holder=holders)
    def finish(self, key: str, holder: str) -> None:
        entry = self.ours(key, holder)
        record = KeyRecord(
            outcome_id=entry.outcome if entry else "wrong", fingerprint=entry.fingerprint if entry else None, status=200
        )
        self.runner.run(self.store.idempotency.finish(key, holder, record, b"", now=self.now))
        if entry is not None:
            entry.finished_at, entry.holder = self.now, None

    @rule(key=keys, holder=holders)
    def release(self, key: str, holder: str) -> None:
        self.store.idempotency.release_soon(key, holder)
        if self.ours(key, holder) is not None:
            del self.model[key]

    @rule(key=keys, holder=holders)
    def leave(self, key: str, holder: str) -> None:
        self.store.idempotency.leave_soon(key, holder)
        entry = self.ours(key, holder)
        if entry is not None:
            entry.holder = None

    @rule(holder=holders)
    def renew(self, holder: str) -> None:
        self.store.idempotency.renew_soon(holder, self.now + LEASE)
        for entry in self.model.values():
            if entry.holder == holder and entry.finished_at is None:
                entry.lease_until = max(entry.lease_until, self.now + LEASE)

    @invariant()
    def each_key_is_as_the_model_says(self) -> None:
        for key in ("x", "y"):
            found = self.runner.run(self.settled(key))
            entry = self.model.get(key)
            assert (found and found.outcome_id) == (entry and entry.outcome)
            assert bool(found and found.status) == bool(entry and entry.finished_at is not None)

    async def settled(self, key: str) -> KeyRecord | None:
        await self.store.append_events([])  # whatever was queued before it is stored by then
        return await self.store.idempotency.find(key)


Keys.TestCase.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
TestKeys = Keys.TestCase
