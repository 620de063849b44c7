"""`hotplane batch … --embedded`: the batches of a store, without a server. Imports `app` and `storage` when it is used.

Looking reads the store alone: nothing is loaded, taken over or run.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotplane.cli.failure import BadInput, say
from hotplane.cli.settings import import_from_here, loaded_settings
from hotplane.errors import BatchNotEnded, InvalidCursor, StorageUnavailable, UnknownBatch

if TYPE_CHECKING:
    import asyncio

    from hotplane.config import LoadedConfig
    from hotplane.execution.batch import BatchStatus
    from hotplane.storage import Ledger, StoredBatch

__all__ = ["StoredBatches", "cancelled_here", "check_place", "check_server", "looked_into"]

Record = dict[str, Any]
_PAGE = 200


def check_place(*, embedded: bool, config: Path | None, store: str | None) -> None:
    """Refuse the options of a store where a server is asked.

    Raises:
        BadInput: They were given without ``--embedded``.
    """
    if not embedded and (config is not None or store is not None):
        raise BadInput("--config and --store are for --embedded: a server has its own.")


def check_server(action: str, *, embedded: bool, config: Path | None, store: str | None) -> None:
    """Refuse to do without a server what only a server can.

    Args:
        action: The name of the command.
        embedded: Whether ``--embedded`` was given; so are the others.
        config: A configuration of a store.
        store: A store.

    Raises:
        BadInput: One of them was given.
    """
    if embedded or config is not None or store is not None:
        raise BadInput(
            f"`hotplane batch {action}` works on a server only: without one nothing runs that could pause or go on. "
            "Leave --embedded, --config and --store away, and name the server with --server. Without a server a batch "
            "can be ended: `hotplane batch cancel --embedded`."
        )


@contextmanager
def looked_into(config: Path | None, store: str | None) -> Generator[StoredBatches]:
    """Open the store of a configuration to look into it.

    Raises:
        ConfigurationError: The configuration cannot be used.
        StorageUnavailable, StorageCorrupt, StorageTooNew, MissingExtra: There is no store, or it cannot be opened.
    """
    import asyncio

    from hotplane.storage import Store

    settings = loaded_settings(config, {"storage.url": store}).config.storage
    if settings.sqlite_path is not None and not settings.sqlite_path.exists():
        raise StorageUnavailable(str(settings.sqlite_path), "there is no such file; looking makes none")
    with asyncio.Runner() as runner:
        opened = runner.run(Store.open(settings))
        try:
            yield StoredBatches(runner, opened.ledger)
        finally:
            runner.run(opened.close())


def cancelled_here(batch: str, config: Path | None, store: str | None) -> Record:
    """Take a batch over that no host runs, cancel it, and return how it stands after its end.

    An ended one is left alone, and no host is started for it.

    Raises:
        UnknownBatch: There is none.
        BatchElsewhere: Another host runs it.
    """
    import asyncio

    with looked_into(config, store) as batches:
        found = batches.get(batch)
    if found["finished_at"] is not None:
        return found
    return asyncio.run(_cancelled(batch, loaded_settings(config, {"storage.url": store})))


class StoredBatches:
    """The batches of an open store.

    Args:
        runner: Runs what is asked, to its end.
        ledger: Where they are.
    """

    def __init__(self, runner: asyncio.Runner, ledger: Ledger) -> None:
        from hotplane.execution.batch.elsewhere import Elsewhere

        self._runner = runner
        self._ledger = ledger
        self._elsewhere = Elsewhere(ledger)

    def list(self, task: str | None, state: str | None, limit: int) -> Iterator[Record]:
        """Yield batches, newest first."""
        from hotplane.storage import BatchFilter

        cursor: str | None = None
        while limit > 0:
            wanted = BatchFilter(task_id=task, state=state)
            page = self._runner.run(self._ledger.list(wanted, limit=min(limit, _PAGE), cursor=cursor))
            for stored in page.items:
                yield self._shown(stored)
            limit -= len(page.items)
            cursor = page.next_cursor
            if cursor is None:
                return

    def get(self, batch: str) -> Record:
        """Return how a batch stands, or raise UnknownBatch."""
        return self._shown(self._find(batch))

    def results(self, batch: str, after: int) -> Iterator[Record]:
        """Yield the results that there are, behind a sequence; says so where the batch has not ended.

        Raises:
            UnknownBatch: There is no such batch.
            InvalidCursor: The sequence is not one of a result of it.
        """
        import msgspec

        from hotplane.execution.batch.stored import to_result

        stored = self._find(batch)
        if after and not self._runner.run(self._ledger.has_result(stored.number, after)):
            raise InvalidCursor(str(after))
        while rows := self._runner.run(self._ledger.results(stored.number, after=after, limit=_PAGE)):
            after = rows[-1].sequence
            yield from (msgspec.to_builtins(to_result(row)) for row in rows)
        if not stored.ended:
            say(f"the batch {batch} has not ended: these are its results until now")

    def delete(self, batch: str) -> None:
        """Forget a batch that has ended, and its results.

        Raises:
            UnknownBatch: There is none.
            BatchNotEnded: It has to be cancelled first.
        """
        stored = self._find(batch)
        if not stored.ended:
            raise BatchNotEnded(batch, stored.state)
        self._runner.run(self._ledger.delete(stored.number))

    def _find(self, batch: str) -> StoredBatch:
        stored = self._runner.run(self._ledger.find(batch))
        if stored is None:
            raise UnknownBatch(batch)
        return stored

    def _shown(self, stored: StoredBatch) -> Record:
        return _record(self._runner.run(self._elsewhere.status(stored)))


async def _cancelled(batch: str, loaded: LoadedConfig) -> Record:
    from hotplane.app import Hotplane
    from hotplane.log import configure

    configure(style=loaded.config.log.format, level="warning")
    import_from_here()
    async with Hotplane(loaded) as host:
        await host.batches.cancel(batch)
        return _record(await host.batches.wait(batch))


def _record(status: BatchStatus) -> Record:
    import msgspec

    return msgspec.to_builtins(status)
