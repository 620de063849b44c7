"""Sending requests and waiting for the answers, with retries. Imports httpx2 and its own room."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import httpx2

from hotplane.client.answers import error_of, read
from hotplane.client.calls import Call
from hotplane.client.duplex_sync import DuplexTransport
from hotplane.client.failures import ClientError
from hotplane.client.items import Upload
from hotplane.client.retries import Schedule
from hotplane.client.settings import Settings, transport_errors

__all__ = ["Going", "Wire"]

T = TypeVar("T")


class Going(NamedTuple):
    """An answer under way."""

    location: str | None
    """Where what was made is."""
    parts: Iterator[bytes] | None
    """Its body as it comes; null where there is nothing more to come (204)."""


class Wire:
    """The connections to one server.

    Args:
        settings: How to speak to it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.address = settings.address
        self._http = httpx2.Client(**settings.arguments())

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def send(self, call: Call[T], upload: Upload | None = None) -> T:
        """Send a request until it is answered, or the policy's limits are reached.

        Raises:
            ClientError: Why there is no answer, or the server's refusal.
        """
        schedule = Schedule(self.settings.retry, call.name, self.settings.on_retry)
        while True:
            try:
                return self.once(call, upload)
            except ClientError as error:
                if upload is not None and not upload.repeatable_after(error):
                    raise
                wait = schedule.wait_after(error)
            time.sleep(wait)

    def once(self, call: Call[T], upload: Upload | None = None) -> T:
        """Send a request a single time.

        Raises:
            ClientError: As for `send`.
        """
        limits = self.settings.timeout(call.answer_seconds)
        with transport_errors(self.address):
            response = self._http.send(self._request(self._http, call, upload, limits))
        status = 200 if response.status_code in call.also else response.status_code
        return read(self.address, status, response.headers, response.content, call.shape)

    @contextmanager
    def open(self, call: Call[None]) -> Generator[Going]:
        """Give an answer that goes on.

        Raises:
            ClientError: As for `send`; it is not repeated here.
        """
        request = self._request(self._http, call, None, self.settings.silence())
        with self._streaming(self._http, request) as going:
            yield going

    @contextmanager
    def converse(self, call: Call[T], upload: Upload) -> Generator[Going]:
        """Give an answer that begins while the upload goes on.

        Raises:
            ClientError: As for `send`; it is not repeated here.
        """
        arguments = self.settings.arguments()
        with httpx2.Client(**arguments, transport=DuplexTransport(self.settings.verify)) as http:
            request = self._request(http, call, upload, self.settings.silence())
            with self._streaming(http, request) as going:
                yield going

    def _request(
        self, http: httpx2.Client, call: Call[T], upload: Upload | None, limits: httpx2.Timeout
    ) -> httpx2.Request:
        content = call.content if upload is None else upload.sync()
        return http.build_request(
            call.method, call.path, params=call.query, headers=call.headers, content=content, timeout=limits
        )

    @contextmanager
    def _streaming(self, http: httpx2.Client, request: httpx2.Request) -> Generator[Going]:
        with transport_errors(self.address):
            response = http.send(request, stream=True)
        try:
            if response.status_code == 204:
                yield Going(None, None)
                return
            if not response.is_success:
                with transport_errors(self.address):
                    response.read()
                raise error_of(self.address, response.status_code, response.headers, response.content)
            yield Going(response.headers.get("location"), self._parts(response))
        finally:
            response.close()

    def _parts(self, response: httpx2.Response) -> Iterator[bytes]:
        with transport_errors(self.address):
            yield from response.iter_bytes()
