"""Deliveries with an order key, claimed by two hosts that fail, give back and die, against a model.

The store is real; the hosts are played: each works through its chains as a lane does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hotplane.events.held import Chain, chains_of
from hotplane.identity import new_id
from hotplane.records import Event, EventType, now
from hotplane.storage import Addressee, Claim, DeliveryState, Outcome, StorageSettings
from hotplane.storage.claiming import PARKED, Release, Settlement
from hotplane.storage.committer import Committer
from hotplane.storage.revisions import bring_up_to_date
from hotplane.storage.sqlite import SQLite
from hotplane.storage.tables import deliveries
from hotplane.storage.writes import Write, event_row

HOSTS = ("one", "two")
KEYS = ("a", "b", None)
HANDLER = "h"
CLOSED = (DeliveryState.DELIVERED, DeliveryState.DEAD)
hosts = st.sampled_from(HOSTS)


class OrderedDeliveries(RuleBasedStateMachine):
    """What the hosts do, and what the model knows of each delivery."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name, "store.db")
        database = SQLite(path, StorageSettings(url=str(path), synchronous="NORMAL"))
        self.committer = Committer(database)
        connection = self.committer.connect()
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA synchronous=OFF")  # nobody pulls the plug here, and a disk may take its time
        bring_up_to_date(database, connection)
        self.now = 1_000
        self.held: dict[str, list[Chain]] = {name: [] for name in HOSTS}
        self.keys: dict[int, str | None] = {}
        self.closed: list[int] = []

    def teardown(self) -> None:
        """Whatever happened before, everything that is open is delivered in the end, in its order."""
        for host in HOSTS:
            self.die(host)
        for _ in range(4 * len(self.keys) + 4):
            if len(self.closed) == len(self.keys):
                break
            self.now += 1_000
            self.claim("one", 3)
            while self.held["one"]:
                self.finish("one", DeliveryState.DELIVERED)
        assert sorted(self.closed) == sorted(self.keys)
        for key in ("a", "b"):
            came = [number for number in self.closed if self.keys[number] == key]
            assert came == sorted(came)
        self.committer.close()
        self._folder.cleanup()

    @rule(key=st.sampled_from(KEYS), count=st.integers(1, 3))
    def add(self, key: str | None, count: int) -> None:
        """Events come in."""
        events = [Event(id=new_id(), type=EventType.TASK_CREATED, time=now()) for _ in range(count)]
        addressees = [(Addressee(HANDLER, key),)] * count
        write = self._store(Write(events=[event_row(event) for event in events], addressees=addressees))
        self.keys.update({write.sequence - index: key for index in range(count)})

    @rule(host=hosts, limit=st.integers(1, 6))
    def claim(self, host: str, limit: int) -> None:
        """A host takes what is due; nothing that another one has."""
        claim = Claim(HANDLER, host, limit, self.now, self.now + 10**9)
        self._store(Write(work=claim))
        taken = {each.row.sequence for chains in self.held.values() for chain in chains for each in chain}
        assert not taken & {row.sequence for row in claim.rows}
        chains, gone = chains_of(claim.rows, 0.0)
        assert not gone
        self.held[host] += chains

    @rule(host=hosts, state=st.sampled_from([*CLOSED, DeliveryState.FAILED]))
    @precondition(lambda self: any(self.held.values()))
    def finish(self, host: str, state: DeliveryState) -> None:
        """A host works through the first delivery of its first chain."""
        if not self.held[host]:
            return
        chain = self.held[host].pop(0)
        number = chain[0].row.sequence
        self._check_turn(number)
        rest = list(chain[1:])
        if state in CLOSED:
            self.closed.append(number)
            self._settle(host, [Outcome(number, state, 1, None, b"[]")], keys=[self.keys[number]])
            if rest:
                self.held[host].insert(0, rest)
        else:
            parked = [each.row.sequence for each in rest]
            self._settle(host, [Outcome(number, state, 1, self.now + 500, b"[]")], parked=parked)

    @rule(host=hosts)
    def give_back(self, host: str) -> None:
        """A host stops in good order."""
        returned = [each.row.sequence for chain in self.held[host] for each in chain]
        self.held[host] = []
        self._settle(host, [], returned=returned)

    @rule(host=hosts)
    def die(self, host: str) -> None:
        """A host dies, and its leases are taken away."""
        self.held[host] = []
        self._store(Write(work=Release(HANDLER, self.now, deliveries.c.holder == host)))

    @rule(by=st.integers(0, 600))
    def wait(self, by: int) -> None:
        """Time passes."""
        self.now += by

    @invariant()
    def each_key_is_with_one_host(self) -> None:
        """Never two chains of one key at a time."""
        keys = [chain[0].row.order_key for chains in self.held.values() for chain in chains]
        ordered = [key for key in keys if key is not None]
        assert len(ordered) == len(set(ordered))

    @invariant()
    def nothing_is_parked_without_a_reason(self) -> None:
        """What waits for its turn waits behind something of its key that is open and not parked."""
        connection = self.committer.connect()
        with connection.begin():
            rows = connection.execute(deliveries.select().where(deliveries.c.due_at.is_not(None))).all()
        parked = {row.order_key for row in rows if row.due_at == PARKED}
        assert parked <= {row.order_key for row in rows if row.due_at != PARKED}

    def _check_turn(self, number: int) -> None:
        key = self.keys[number]
        if key is not None:
            earlier = {other for other, its in self.keys.items() if its == key and other < number}
            assert earlier <= set(self.closed)

    def _settle(
        self,
        host: str,
        outcomes: Sequence[Outcome],
        *,
        keys: Sequence[str | None] = (),
        returned: Sequence[int] = (),
        parked: Sequence[int] = (),
    ) -> None:
        closed = [key for key in keys if key is not None]
        self._store(Write(work=Settlement(HANDLER, host, self.now, outcomes, [], closed, returned, parked, "?")))

    def _store(self, write: Write) -> Write:
        self.committer.store([write])
        assert write.error is None, write.error
        return write


OrderedDeliveries.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
test_the_order_of_each_key_is_kept = OrderedDeliveries.TestCase
