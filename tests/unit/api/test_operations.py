"""The table of operations, without a server."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from unittest import mock

import pytest

from hotplane.api import operations
from hotplane.api.operations import Operations, OperationState, Running, UnknownOperation
from hotplane.errors import Overloaded, PluginStartFailed
from hotplane.records import now


async def fail(error: BaseException) -> None:
    """Raise."""
    raise error


async def work(value: object) -> object:
    """Return."""
    return value


def begin(table: Operations, *, value: object = None, error: BaseException | None = None) -> Running:
    """Begin an operation that ends at once."""
    coroutine = work(value) if error is None else fail(error)
    return table.begin("start", coroutine, plugin_id="one", instance="/api/plugins/one/start")


async def ended(running: Running) -> operations.Operation:
    """Wait for an operation."""
    await asyncio.wait({running.task}, timeout=20)
    await asyncio.sleep(0)
    return running.operation


async def test_a_result_is_kept_as_json() -> None:
    """As the direct answer would have been."""
    table = Operations(10)
    operation = await ended(begin(table, value={"at": now()}))
    assert operation.state is OperationState.SUCCEEDED
    assert isinstance(operation.result, dict)
    assert table.get(operation.id) == operation


async def test_a_failure_is_kept_as_its_problem() -> None:
    """With the path that was asked for."""
    operation = await ended(begin(Operations(10), error=PluginStartFailed("one", "no database")))
    assert (operation.state, operation.result) == (OperationState.FAILED, None)
    assert operation.problem is not None
    assert (operation.problem.code, operation.problem.instance) == ("plugin-start-failed", "/api/plugins/one/start")


async def test_an_unforeseen_failure_tells_nothing_but_where_the_log_has_it() -> None:
    """As everywhere in this API."""
    operation = await ended(begin(Operations(10), error=ZeroDivisionError("secret")))
    assert operation.problem is not None
    assert (operation.problem.status, "secret" in operation.problem.detail) == (500, False)


async def test_one_that_never_began_is_broken_off() -> None:
    """The server stopped in the very moment: it failed, and nothing is left waiting."""
    table = Operations(10)
    running = begin(table)
    await table.close()
    await asyncio.sleep(0)
    operation = table.get(running.operation.id)
    assert operation.problem is not None
    assert (operation.state, operation.problem.code) == (OperationState.FAILED, "shutting-down")


async def test_one_that_does_not_let_go_is_left() -> None:
    """Closing the table takes no longer than it has to."""
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    table = Operations(10)
    running = table.begin("start", stubborn(), plugin_id=None, instance="/")
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await table.close()
    release.set()
    assert (await ended(running)).state is OperationState.SUCCEEDED


async def test_too_many_at_once_are_refused() -> None:
    """And the one that is refused is never begun."""
    table = Operations(1)
    begin(table)
    with pytest.raises(Overloaded):
        begin(table)
    await table.close()


async def test_ended_ones_are_forgotten_after_an_hour_or_when_there_are_too_many() -> None:
    """The oldest first."""
    table = Operations(2)
    identities = [(await ended(begin(table, value=number))).id for number in range(3)]
    with pytest.raises(UnknownOperation):
        table.get(identities[0])
    assert table.get(identities[1]).result == 1
    with (
        mock.patch.object(operations, "now", return_value=now() + timedelta(hours=1, seconds=1)),
        pytest.raises(UnknownOperation),
    ):
        table.get(identities[2])
