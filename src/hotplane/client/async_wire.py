"""Sending requests without blocking the event loop, with retries. Imports httpx2 and its own room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

import httpx2

from hotplane.client.answers import error_of, read
from hotplane.client.calls import Call
from hotplane.client.duplex_async import AsyncDuplexTransport
from hotplane.client.failures import ClientError
from hotplane.client.items import Upload
from hotplane.client.retries import Schedule
from hotplane.client.settings import Settings, transport_errors

__all__ = ["AsyncWire", "Going"]

T = TypeVar("T")


class Going(NamedTuple):
    """An answer under way."""

    location: str | None
    """Where what was made is."""
    parts: AsyncIterator[bytes] | None
    """Its body as it comes; null where there is nothing more to come (204)."""


class AsyncWire:
    """The connections to one server.

    Args:
        settings: How to speak to it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.address = settings.address
        self._http = httpx2.AsyncClient(**settings.arguments())

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def send(self, call: Call[T], upload: Upload | None = None) -> T:
        """Send a request until it is answered, or the policy's limits are reached.

        Raises:
            ClientError: Why there is no answer, or the server's refusal.
        """
        schedule = Schedule(self.settings.retry, call.name, self.settings.on_retry)
        while True:
            try:
                return await self.once(call, upload)
            except ClientError as error:
                if upload is not None and not upload.repeatable_after(error):
                    raise
                wait = schedule.wait_after(error)
            await asyncio.sleep(wait)

    async def once(self, call: Call[T], upload: Upload | None = None) -> T:
        """Send a request a single time.

        Raises:
            ClientError: As for `send`.
        """
        limits = self.settings.timeout(call.answer_seconds)
        with transport_errors(self.address):
            response = await self._http.send(self._request(self._http, call, upload, limits))
        status = 200 if response.status_code in call.also else response.status_code
        return read(self.address, status, response.headers, response.content, call.shape)

    @asynccontextmanager
    async def open(self, call: Call[None]) -> AsyncGenerator[Going]:
        """Give an answer that goes on.

        Raises:
            ClientError: As for `send`; it is not repeated here.
        """
        request = self._request(self._http, call, None, self.settings.silence())
        async with self._streaming(self._http, request) as going:
            yield going

    @asynccontextmanager
    async def converse(self, call: Call[T], upload: Upload) -> AsyncGenerator[Going]:
        """Give an answer that begins while the upload goes on.

        Raises:
            ClientError: As for `send`; it is not repeated here.
        """
        arguments = self.settings.arguments()
        async with httpx2.AsyncClient(**arguments, transport=AsyncDuplexTransport(self.settings.verify)) as http:
            request = self._request(http, call, upload, self.settings.silence())
            async with self._streaming(http, request) as going:
                yield going

    def _request(
        self, http: httpx2.AsyncClient, call: Call[T], upload: Upload | None, limits: httpx2.Timeout
    ) -> httpx2.Request:
        content = call.content if upload is None else upload
        return http.build_request(
            call.method, call.path, params=call.query, headers=call.headers, content=content, timeout=limits
        )

    @asynccontextmanager
    async def _streaming(self, http: httpx2.AsyncClient, request: httpx2.Request) -> AsyncGenerator[Going]:
        with transport_errors(self.address):
            response = await http.send(request, stream=True)
        try:
            if response.status_code == 204:
                yield Going(None, None)
                return
            if not response.is_success:
                with transport_errors(self.address):
                    await response.aread()
                raise error_of(self.address, response.status_code, response.headers, response.content)
            yield Going(response.headers.get("location"), self._parts(response))
        finally:
            await response.aclose()

    async def _parts(self, response: httpx2.Response) -> AsyncIterator[bytes]:
        with transport_errors(self.address):
            async for part in response.aiter_bytes():
                yield part
