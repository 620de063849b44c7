"""Hosts that are killed with SIGKILL at the worst moments. Imports the scene."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from tests.integration.events.scene import ReceiverProcess, Tally, config_of, counted, hosted

__all__ = ["killed_before_acknowledgement", "killed_before_send"]

_COUNT = 12


async def killed_before_send(case: str, folder: Path) -> Tally:
    """The host dies when its events are committed and nothing is sent; the next life sends all of them."""
    return await _killed(case, folder, "before-send")


async def killed_before_acknowledgement(case: str, folder: Path) -> Tally:
    """The host dies when an event is taken and that is not written down: the receiver sees the same id twice."""
    return await _killed(case, folder, "before-acknowledgement")


async def _killed(case: str, folder: Path, moment: str) -> Tally:
    receiver = ReceiverProcess(folder)
    config = config_of(folder, receiver.url)
    command = [sys.executable, "-m", "tests.integration.events.host_child", json.dumps(config), str(_COUNT), moment]
    ended = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == -9, ended.stderr
    before = receiver.received()
    async with hosted(folder, receiver.url) as host:
        stored = [event.id for event in await host.store.list_events(limit=1000) if event.type == "task.created"]
        tally = await counted(case, receiver, stored)
    receiver.close()
    strangers = len(set(receiver.received()) - set(stored))
    note = f"{len(before)} taken before it died, {strangers} unknown ids"
    return Tally(tally.case, tally.sent, tally.received, tally.lost, tally.duplicated, note)
