"""The answer to a stream's upload: items come in while results go out. Imports lower rooms, `intake`, `following`."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hotplane.api.bodies import Receive
from hotplane.api.door import Scope, Send
from hotplane.api.following import event_parts
from hotplane.api.intake import Intake, give_up
from hotplane.api.leaving import disconnected, end_tasks
from hotplane.api.problems import document_of, unexpected
from hotplane.api.streams import Streams, frame
from hotplane.api.unending import EVENT_STREAM, Unending
from hotplane.errors import HotplaneError
from hotplane.execution.batch import Batches

__all__ = ["StreamAnswer"]

_LAST_SECONDS = 1.0
"""How long an upload whose stream has ended gets to say what was wrong with it."""


class StreamAnswer(Unending):
    """Reads items until they end and sends results until they end; neither waits for the other.

    Args:
        batches: The host's.
        stream_id: A stream that receives.
        streams: The server's.
        detach: Whether what is left still runs when the client leaves.
        max_depth: How deep an item may be nested.
    """

    def __init__(self, batches: Batches, stream_id: str, streams: Streams, *, detach: bool, max_depth: int) -> None:
        parts = event_parts(
            batches,
            stream_id,
            0,
            heartbeat_seconds=streams.heartbeat_seconds,
            prelude=frame("stream", {"id": stream_id}),
            before_end=self._last_words,
        )
        super().__init__(parts, streams, EVENT_STREAM, {"location": f"/api/stream/{stream_id}"})
        self._batches = batches
        self._stream_id = stream_id
        self._detach = detach
        self._max_depth = max_depth
        self._intake: Intake | None = None
        self._failed = b""
        self._uploading: asyncio.Task[None] | None = None

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._intake = intake = Intake(self._batches, self._stream_id, receive, self._max_depth)
        self._uploading = uploading = asyncio.create_task(self._upload(intake, scope), name="hotplane-upload")
        await asyncio.sleep(0)  # its first `receive` answers a client that waits for 100 Continue
        try:
            whole = await self._send_until(self._left(uploading, receive), scope, send)
        finally:
            await end_tasks(uploading)
        if not whole:
            await self._leave()

    async def _upload(self, intake: Intake, scope: Scope) -> None:
        try:
            await intake.run()
        except HotplaneError:
            return  # `_last_words` tells
        except Exception as error:
            self._failed = frame("problem", unexpected(error, scope["method"], scope["path"]))
            await give_up(self._batches, self._stream_id)

    async def _left(self, uploading: asyncio.Task[None], receive: Receive) -> None:
        await asyncio.wait((uploading,))
        if self._intake is None or not self._intake.gone:
            await disconnected(receive)

    async def _leave(self) -> None:
        """Nobody reads any more: what has not arrived never will, what has arrived runs if it is to."""
        with suppress(HotplaneError):  # nothing had arrived, or the host stops
            await self._batches.seal(self._stream_id, truncated=True)
            if not self._detach and not self._streams.closing.is_set():
                await self._batches.cancel(self._stream_id)

    async def _last_words(self) -> bytes:
        """Return what was wrong with the upload, which may be about to say so."""
        if self._uploading is not None:
            await asyncio.wait((self._uploading,), timeout=_LAST_SECONDS)
        refusal = None if self._intake is None else self._intake.refusal
        return self._failed if refusal is None else frame("problem", document_of(refusal))
