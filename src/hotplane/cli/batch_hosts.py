"""Where `batch run` runs: on a server, or in this process. Imports `client` or `app` when they are used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hotplane.cli.batch_lines import chunks_off_the_loop
from hotplane.cli.failure import ConnectionLost, NotHotplane, ServerRefused, ServerUnreachable, say
from hotplane.cli.settings import import_from_here, loaded_settings

if TYPE_CHECKING:
    from msgspec import Raw

    from hotplane.app import Hotplane
    from hotplane.client import AsyncBatchHandle, AsyncClient, Retry
    from hotplane.execution.batch import BatchStatus, NewItem

__all__ = ["BatchHost", "here", "there", "translated"]

Record = dict[str, Any]
_CHUNK = 500
_LOOK_SECONDS = 1.0


class BatchHost(Protocol):
    """What runs a batch."""

    kept: bool
    """Whether there still is a batch when it was given up: one that no item has reached is forgotten."""

    async def begin(self, task: str, options: Mapping[str, Any], lines: Iterator[bytes]) -> str:
        """Make a batch of these lines and return its id; some may still be on their way."""
        ...

    def results(self) -> AsyncIterator[Record]:
        """Yield every result until the batch has ended."""
        ...

    async def items(self) -> int:
        """Return how many items are known to have arrived."""
        ...

    async def status(self) -> Record:
        """Return how the batch stands."""
        ...

    async def quality(self, task: str, since: str) -> Record | None:
        """Return what is estimated of the executions since an instant."""
        ...


@asynccontextmanager
async def there(server: str, *, piped: bool = False) -> AsyncGenerator[BatchHost]:
    """Give a server.

    Args:
        server: Its address.
        piped: Whether a line may be long in coming; then they are read off the loop, and sent one at a time.

    Raises:
        ServerUnreachable, ConnectionLost, NotHotplane, ServerRefused: As for every command.
    """
    from hotplane.client import AsyncClient, RetryPolicy

    with translated(server):
        policy = RetryPolicy(attempts=4, total_seconds=10.0)  # a person waits for the first answer
        async with AsyncClient(server, retry=policy, on_retry=_say) as client:
            yield _There(client, piped=piped)


@asynccontextmanager
async def here(config: Path | None, store: str | None) -> AsyncGenerator[BatchHost]:
    """Give a host of this process; batches that it has not finished before go on, too."""
    from hotplane.app import Hotplane
    from hotplane.log import configure

    loaded = loaded_settings(config, {"storage.url": store})
    configure(style=loaded.config.log.format, level="warning")
    import_from_here()
    async with Hotplane(loaded) as host:
        running = _Here(host)
        try:
            yield running
        finally:
            await running.close()


@contextmanager
def translated(server: str) -> Generator[None]:
    """Say what goes wrong with a server as the other commands do."""
    from hotplane.client import ApiError, ConnectionFailed
    from hotplane.client import ConnectionLost as Lost
    from hotplane.client import NotHotplane as Other

    try:
        yield
    except ConnectionFailed as error:
        raise ServerUnreachable(server, error.reason) from None
    except Lost as error:
        raise ConnectionLost(server, error.reason) from None
    except Other as error:
        raise NotHotplane(server, error.reason) from None
    except ApiError as error:
        raise ServerRefused(
            error.title, error.detail, status=error.status, kind=error.code, problems=error.problems
        ) from None


def _say(retry: Retry) -> None:
    say(f"{retry.error} Trying again in {retry.wait_seconds:.1f} s.")


async def _off_the_loop(lines: Iterator[bytes]) -> AsyncGenerator[Raw]:
    from msgspec import Raw

    async with aclosing(chunks_off_the_loop(lines, _CHUNK)) as chunks:
        async for chunk in chunks:
            for line in chunk:
                yield Raw(line)


class _There:
    """A batch on a server."""

    kept = True

    def __init__(self, client: AsyncClient, *, piped: bool) -> None:
        self._client = client
        self._piped = piped
        self._handle: AsyncBatchHandle | None = None

    async def begin(self, task: str, options: Mapping[str, Any], lines: Iterator[bytes]) -> str:
        from msgspec import Raw

        items = _off_the_loop(lines) if self._piped else (Raw(line) for line in lines)
        self._handle = await self._client.batch(task, items, **options)
        return self._handle.id

    async def results(self) -> AsyncIterator[Record]:
        import msgspec

        async for result in self._known().results():
            yield msgspec.to_builtins(result)

    async def items(self) -> int:
        return self._known().last.items

    async def status(self) -> Record:
        import msgspec

        return msgspec.to_builtins(await self._known().status())

    async def quality(self, task: str, since: str) -> Record | None:
        import msgspec

        return msgspec.to_builtins(await self._client.quality(task, since=since))

    def _known(self) -> AsyncBatchHandle:
        assert self._handle is not None  # noqa: S101 - `begin` comes first
        return self._handle


class _Here:
    """A batch in this process."""

    def __init__(self, host: Hotplane) -> None:
        self.kept = True
        self._host = host
        self._id = ""
        self._filling: asyncio.Task[None] | None = None

    async def begin(self, task: str, options: Mapping[str, Any], lines: Iterator[bytes]) -> str:
        from hotplane.execution.batch import BatchOptions

        making = asyncio.ensure_future(self._host.batches.create(BatchOptions(task_id=task, **options)))
        try:
            made = await asyncio.shield(making)
        except asyncio.CancelledError:  # it is stored all the same, and nobody would ever fill it
            await self._forget(making)
            raise
        self._id = made.id
        self._filling = asyncio.create_task(self._fill(lines), name="hotplane-batch-fill")
        return made.id

    async def results(self) -> AsyncIterator[Record]:
        import msgspec

        after = 0
        while True:
            status = await self._host.batches.changed(self._id, after, _LOOK_SECONDS)
            if self._filling is not None and self._filling.done():
                self._filling.result()
            for each in await self._host.batches.results(self._id, after=after):
                after = each.sequence
                yield msgspec.to_builtins(each)
            if status.ended and after >= status.last_sequence:
                return

    async def items(self) -> int:
        return (await self._host.batches.get(self._id)).items

    async def status(self) -> Record:
        import msgspec

        return msgspec.to_builtins(await self._host.batches.get(self._id))

    async def quality(self, task: str, since: str) -> Record | None:
        from datetime import datetime

        import msgspec

        return msgspec.to_builtins(await self._host.quality(task, since=datetime.fromisoformat(since)))

    async def close(self) -> None:
        """Add no more."""
        from hotplane.errors import EmptyBatch

        if self._filling is not None:
            self._filling.cancel()
            # What went wrong was told with the results; of a batch that was given up early nobody has to hear.
            (ended,) = await asyncio.gather(self._filling, return_exceptions=True)
            self.kept = not isinstance(ended, EmptyBatch)

    async def _forget(self, making: asyncio.Future[BatchStatus]) -> None:
        from hotplane.errors import EmptyBatch

        (made,) = await asyncio.gather(making, return_exceptions=True)
        if not isinstance(made, BaseException):
            with suppress(EmptyBatch):  # which says that it is gone
                await self._host.batches.seal(made.id, truncated=True)

    async def _fill(self, lines: Iterator[bytes]) -> None:
        items = self._items(lines)
        whole = False
        try:
            async with aclosing(chunks_off_the_loop(items, _CHUNK)) as chunks:
                async for chunk in chunks:
                    await self._host.batches.add(self._id, chunk)
            whole = True
        finally:
            await self._host.batches.seal(self._id, truncated=not whole)

    def _items(self, lines: Iterator[bytes]) -> Iterator[NewItem]:
        from hotplane.api.items import ItemReader
        from hotplane.api.ndjson import Line

        config = self._host.config
        limit = config.batches.max_item_bytes
        numbered = (Line(at, each if len(each) <= limit else None) for at, each in enumerate(lines, 1) if each.strip())
        return (item for item, _ in ItemReader(limit, config.server.max_depth).read(numbered))
