"""The keys of requests that may be repeated, on either database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from hotplane.records import Execution
from hotplane.storage import KeyClaim, KeyRecord, KeyState, StorageSettings, Store

HOUR = 3_600_000_000


def claim(key: str = "k", *, holder: str = "a", outcome: str = "one", at: int = HOUR, **fields: Any) -> KeyClaim:
    """A claim by a holder whom nobody knows to be dead, with a lease of a minute, kept for an hour."""
    dead: tuple[str, ...] = fields.pop("dead", ())
    record = KeyRecord(outcome_id=outcome, fingerprint=fields.pop("fingerprint", "f"))
    return KeyClaim(
        key=key,
        holder=holder,
        record=record,
        now=at,
        lease_until=at + HOUR // 60,
        expired_at=at - HOUR,
        is_dead=lambda name: name in dead,
        **fields,
    )


async def state(store: Store, *arguments: Any, **fields: Any) -> KeyState:
    """Claim, and return what was found."""
    return (await store.idempotency.claim(claim(*arguments, **fields))).state


async def test_one_of_two_claims_gets_the_key(store: Store) -> None:
    """Also when both come in one group."""
    claims = await asyncio.gather(*(store.idempotency.claim(claim(holder=name)) for name in "abcd"))
    assert sorted(each.state.name for each in claims) == ["IN_FLIGHT", "IN_FLIGHT", "IN_FLIGHT", "NEW"]


async def test_one_of_two_hosts_gets_the_key(url: str, store: Store) -> None:
    """The insert decides, whichever host is first."""
    other = await Store.open(StorageSettings(url=url))
    try:
        claims = await asyncio.gather(
            *(
                each.idempotency.claim(claim(f"k{number}", holder=name))
                for number in range(20)
                for each, name in ((store, "a"), (other, "b"))
            )
        )
        assert [each.state for each in claims].count(KeyState.NEW) == 20
        assert [each.state for each in claims].count(KeyState.IN_FLIGHT) == 20
    finally:
        await other.close()


async def test_a_finished_key_gives_its_answer(store: Store) -> None:
    """Status, headers and body, to every holder, as long as the request is the same."""
    first = await store.idempotency.claim(claim())
    done = msgspec.structs.replace(first.record, status=201, headers=(("location", "/x"),))
    await store.idempotency.finish("k", "a", done, b"body", now=HOUR)
    found = await store.idempotency.claim(claim(holder="b", outcome="two"))
    assert (found.state, found.found, found.answer) == (KeyState.FINISHED, done, b"body")
    assert await state(store, holder="b", fingerprint="g") is KeyState.REUSED


async def test_what_a_dead_holder_left_is_taken_over(store: Store) -> None:
    """With what it had promised; nobody else gets it then."""
    await state(store, holder="a", outcome="one")
    assert await state(store, holder="b", outcome="two") is KeyState.IN_FLIGHT
    assert await state(store, holder="b", dead=("a",), take_over=False) is KeyState.LEFT
    taken = await store.idempotency.claim(claim(holder="b", outcome="two", dead=("a",)))
    assert (taken.state, taken.found.outcome_id) == (KeyState.TAKEN_OVER, "one")
    assert await state(store, holder="c", dead=("a",)) is KeyState.IN_FLIGHT


async def test_another_request_does_not_take_over(store: Store) -> None:
    """The key belongs to what its holder was asked for."""
    await state(store, holder="a", fingerprint="f")
    assert await state(store, holder="b", dead=("a",), fingerprint="g") is KeyState.REUSED
    assert await state(store, holder="b", dead=("a",), fingerprint="f") is KeyState.TAKEN_OVER


async def test_a_lease_ends_unless_it_is_renewed(store: Store) -> None:
    """Of a holder on another machine nothing else is known."""
    await state(store, holder="a")
    store.idempotency.renew_soon("a", HOUR + 100)  # shorter than the lease it has
    assert await state(store, holder="b", at=HOUR + HOUR // 60) is KeyState.IN_FLIGHT
    store.idempotency.renew_soon("a", HOUR + HOUR // 20)
    assert await state(store, holder="b", at=HOUR + HOUR // 60 + 1) is KeyState.IN_FLIGHT
    assert await state(store, holder="b", at=HOUR + HOUR // 20 + 1) is KeyState.TAKEN_OVER


async def test_a_holder_that_lost_its_key_changes_nothing(store: Store) -> None:
    """What it finishes, leaves or releases late is another one's by then."""
    first = await store.idempotency.claim(claim(holder="a"))
    await state(store, holder="b", dead=("a",))
    await store.idempotency.finish("k", "a", first.record, b"late", now=HOUR)
    store.idempotency.leave_soon("k", "a")
    store.idempotency.release_soon("k", "a")
    assert await state(store, holder="c") is KeyState.IN_FLIGHT


async def test_a_released_key_is_new_and_one_that_is_left_is_not(store: Store) -> None:
    """Whether something may have happened makes the difference."""
    await state(store)
    store.idempotency.release_soon("k", "a")
    assert await state(store, outcome="two") is KeyState.NEW
    store.idempotency.leave_soon("k", "a")
    taken = await store.idempotency.claim(claim(holder="b", outcome="three"))
    assert (taken.state, taken.found.outcome_id) == (KeyState.TAKEN_OVER, "two")


async def test_a_key_is_kept_for_its_time_and_then_new(store: Store) -> None:
    """From its answer on, to the microsecond, whether or not it was deleted by then."""
    first = await store.idempotency.claim(claim())
    await store.idempotency.finish("k", "a", first.record, b"", now=2 * HOUR)
    assert await state(store, at=3 * HOUR) is KeyState.FINISHED
    assert await state(store, at=3 * HOUR + 1, fingerprint="g") is KeyState.NEW
    assert await state(store, holder="b", at=3 * HOUR + 1, fingerprint="g") is KeyState.IN_FLIGHT


async def test_the_oldest_finished_keys_make_room(store: Store) -> None:
    """Those in flight stay, however many they are."""
    store.idempotency.keep_at_most(5)
    for number in range(12):
        made = await store.idempotency.claim(claim(f"k{number}", at=HOUR + number))
        if number % 2:
            await store.idempotency.finish(f"k{number}", "a", made.record, b"", now=HOUR + number)
    kept = [number for number in range(12) if await store.idempotency.find(f"k{number}") is not None]
    assert kept == [0, 2, 4, 6, 8, 10, 11]


async def test_old_keys_are_deleted_in_slices(store: Store) -> None:
    """Finished and left ones alike, as claims come by."""
    for number in range(250):
        made = await store.idempotency.claim(claim(f"k{number}"))
        if number >= 10:
            store.idempotency.finish_soon(f"k{number}", "a", made.record, b"", now=HOUR)
    other = store.idempotency
    other._upkeep._pruned_at = float("-inf")
    seen = []
    for number in range(3):
        await state(store, f"n{number}", at=9 * HOUR)
        seen.append(sum([await other.find(f"k{each}") is not None for each in range(250)]))
    assert seen == [40, 0, 0]


async def test_the_execution_that_a_request_made_is_found(store: Store, execution: Callable[..., Execution]) -> None:
    """By its id, behind the place where the log ended: neither an earlier run nor a later rerun."""
    await store.record(execution(id="mine", input="before"))
    made = await store.idempotency.claim(claim(outcome="mine", mark=True))
    assert await store.idempotency.execution_of(made.record) is None
    await store.record(execution(id="mine", input="it"))
    await store.record(execution(id="mine", input="after"))
    found = await store.idempotency.execution_of(made.record)
    assert found is not None
    assert found.input == "it"


async def test_keys_outlive_their_host(url: str) -> None:
    """In flight and finished, as they were."""
    store = await Store.open(StorageSettings(url=url))
    made = await store.idempotency.claim(claim("done"))
    store.idempotency.finish_soon("done", "a", made.record, b"body", now=HOUR)
    await state(store, "left")
    await store.close()
    store = await Store.open(StorageSettings(url=url))
    try:
        assert await state(store, "done", holder="b") is KeyState.FINISHED
        assert await state(store, "left", holder="b") is KeyState.IN_FLIGHT
        assert await state(store, "left", holder="b", dead=("a",)) is KeyState.TAKEN_OVER
    finally:
        await store.close()


@pytest.mark.parametrize("found", [None, "f"])
async def test_a_request_that_did_not_come_whole_cannot_be_compared(store: Store, found: str | None) -> None:
    """A missing fingerprint on either side refuses nothing."""
    first = await store.idempotency.claim(claim(fingerprint=found))
    await store.idempotency.finish("k", "a", first.record, b"", now=HOUR)
    assert await state(store, fingerprint=None if found else "f") is KeyState.FINISHED
