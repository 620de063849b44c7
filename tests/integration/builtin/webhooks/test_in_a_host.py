"""The handlers in a running host: configured in its file, fed by what it does."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from standardwebhooks import Webhook

from hotplane import Hotplane

SECRET = "whsec_" + b64encode(b"s" * 32).decode()
TOKEN = "B0123456789abcdefghij"


def written(folder: Path, url: str) -> Path:
    """Return a configuration file with a program, a signed handler, a chat and a file."""
    (folder / "programs_of_this_test.py").write_text("def run(value):\n    raise ValueError('no')\n")
    handlers = [
        {
            "name": "signed",
            "type": "http-webhook-handler",
            "configuration": {"url": f"{url}/signed/{TOKEN}", "secrets": [SECRET], "events": ["program.execution.*"]},
        },
        {
            "name": "slack-webhook-handler",
            "configuration": {"slack_webhook_url": f"{url}/{TOKEN}", "events": ["program.execution.failed"]},
        },
        {"name": "file-webhook-handler", "configuration": {"directory": str(folder), "events": ["program.*"]}},
        {"name": "email-webhook-handler", "configuration": {"host": "smtp://x", "recipients": ["nobody"]}},
    ]
    configuration = {
        "storage": {"url": str(folder / "host.db")},
        "programs": {"allow": ["programs_of_this_test"], "paths": [str(folder)]},
        "tasks": [{"id": "spam", "program": "programs_of_this_test:run"}],
        "plugins": {"webhook_handlers": handlers},
    }
    file = folder / "hotplane.yaml"
    file.write_text(yaml.safe_dump(configuration))
    return file


@pytest.fixture
def arrived(receiver: Any) -> asyncio.Queue[tuple[str, dict[str, str], bytes]]:
    """Give what the receiver gets, as it comes."""
    queue: asyncio.Queue[tuple[str, dict[str, str], bytes]] = asyncio.Queue()

    async def answer(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        queue.put_nowait((request.path, headers, await request.read()))
        return web.Response(text="ok")

    receiver.answer = answer
    return queue


async def test_a_failed_execution_comes_to_everybody(receiver: Any, arrived: Any, tmp_path: Path) -> None:
    """Signed to the one, as a message to the other, as a line into the file; who cannot start says why."""
    async with Hotplane.from_config(written(tmp_path, receiver.url)) as host:
        states = {status.id: (status.state, str(status.reason)) for status in host.plugins.list()}
        execution = await host.execute("spam", {"a": 1})
        async with asyncio.timeout(20):
            found = {path: (headers, body) for path, headers, body in [await arrived.get(), await arrived.get()]}
            while not (tmp_path / "events.jsonl").exists():  # noqa: ASYNC110 - a file tells nobody that it is there
                await asyncio.sleep(0.02)
    headers, body = found[f"/signed/{TOKEN}"]
    assert Webhook(SECRET).verify(body, headers)["data"]["execution_id"] == execution.id
    assert json.loads(found[f"/{TOKEN}"][1])["text"] == "ERROR program.execution.failed: spam"
    assert execution.id in (tmp_path / "events.jsonl").read_text()
    assert states["signed"][0] == "active"
    assert states["email-webhook-handler"][0] == "failed"
    assert "/sender: `sender` is missing" in states["email-webhook-handler"][1]
    assert TOKEN not in str(states)
