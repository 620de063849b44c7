"""Faults of the HTTP worker while no Valkyrie worker is there, so that the host's own process is the last resort.

Imports the harness.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.integration.faults import fake_http
from tests.integration.faults.results import Result
from tests.integration.faults.site import Play, Site

__all__ = ["HTTP"]


def _answering(name: str, answer: Callable[[Any], bytes], told: str = "") -> tuple[str, Play]:
    async def play(site: Site) -> Result:
        fake = fake_http.FakeHttp()
        await fake.open()

        async def fall() -> None:
            fake.answer = answer

        async def mend() -> None:
            fake.answer = fake_http.success

        try:
            async with site.gate() as gate:
                await gate.close()
                address = f"http://127.0.0.1:{fake.port}"
                async with site.load(name, f"tcp://127.0.0.1:{gate.port}", http=address, primary="http") as load:
                    await load.fault(fall, mend, told=told)
            return load.result()
        finally:
            await fake.close()

    return name, play


HTTP = dict(
    (
        _answering("HTTP worker answers 500", fake_http.server_error, "http-500"),
        _answering("HTTP worker answers 429 with Retry-After", fake_http.too_many),
        _answering("HTTP worker redirects (302)", fake_http.found, "http-302"),
        _answering("HTTP worker redirects (307)", fake_http.moved),
        _answering("HTTP worker truncates its body", fake_http.truncated, "answer-lost"),
    )
)
"""Each case by its name."""
