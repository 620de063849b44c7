"""A browser's EventSource reads a stream: the second, independent client of the events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.integration.api.resume_log import Host, upload

CHROMIUM = Path("/usr/bin/chromium")
ITEMS = 600
HALF = ITEMS // 2
PROGRAM = """
import asyncio
from pathlib import Path

async def steady(value):
    await asyncio.sleep(0.01)
    while value >= {half} and not Path({go_on!r}).exists():
        await asyncio.sleep(0.05)
    return value
"""
"""The second half of the items waits for a file, so that the host is killed in mid-stream at any speed."""
FOLLOW = """path => {
    Object.assign(window, {seen: [], opened: 0, failed: 0, ended: null, source: new EventSource(path)})
    source.onopen = () => { opened += 1 }
    source.onerror = () => { failed += 1 }
    source.addEventListener("result", event => {
        seen.push([Number(event.lastEventId), JSON.parse(event.data).position])
    })
    source.addEventListener("end", event => { ended = JSON.parse(event.data) })
}"""

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no {CHROMIUM}")


@pytest.fixture
async def page() -> AsyncIterator[Any]:
    """A page of a browser without a window."""
    playwright = pytest.importorskip("playwright.async_api")
    async with playwright.async_playwright() as started:
        browser = await started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"], timeout=100_000)
        made = await browser.new_page()
        made.set_default_timeout(60_000)
        yield made
        await browser.close()


async def test_a_browser_gets_every_result_once_over_a_crash(page: Any, tmp_path: Path) -> None:
    """The host is killed in mid-stream and started again; the browser comes back by itself, until the end."""
    host, go_on = Host(tmp_path), tmp_path / "go-on"
    (tmp_path / "steady_program.py").write_text(PROGRAM.format(half=HALF, go_on=str(go_on)))
    await host.start()
    try:
        async with httpx2.AsyncClient(base_url=host.url, trust_env=False, timeout=60) as client:
            stream_id = await upload(client, ITEMS)
        await page.goto(f"{host.url}/livez")
        await page.evaluate(FOLLOW, f"/api/stream/{stream_id}/events")
        await page.wait_for_function(f"seen.length >= {ITEMS // 4}")
        await host.kill()
        await page.wait_for_function("failed > 0")
        at_the_crash = await page.evaluate("seen.length")
        go_on.touch()
        await host.start()
        await page.wait_for_function("source.readyState === EventSource.CLOSED")
        seen, ended = await page.evaluate("[seen, ended]")
        opened = await page.evaluate("opened")
    finally:
        await asyncio.shield(host.kill())
    print(f"{at_the_crash} results before the crash, {len(seen)} in all over {opened} connections")
    assert sorted(position for _, position in seen) == list(range(1, ITEMS + 1))
    assert [sequence for sequence, _ in seen] == sorted({sequence for sequence, _ in seen})
    assert ITEMS // 4 <= at_the_crash <= HALF
    assert (opened, ended["state"], ended["done"]) == (2, "completed", ITEMS)
