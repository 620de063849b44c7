"""`file-webhook-handler` on a real disk: whole lines, in rotation, by several writers."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import resource
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from msgspec.structs import replace

from hotplane.builtin.webhooks.file import FileConfig, FileWebhookHandler
from hotplane.builtin.webhooks.rotation import LockBusy, RotatedFile
from hotplane.errors import PluginMisconfigured
from hotplane.events.envelope import CLOUDEVENTS_TYPE
from hotplane.plugins import DeliveryFailed, WebhookContext
from hotplane.records import Event, EventType

EVENT = Event(
    id="e-1", type=EventType.PLUGIN_FAILED, time=datetime(2026, 3, 1, tzinfo=UTC), payload={"text": "a\nb\u2028é"}
)


def configured(directory: Path, **settings: Any) -> FileWebhookHandler:
    """Return a handler."""
    return FileWebhookHandler(FileConfig(directory=directory, **settings))


def deliver(handler: FileWebhookHandler, event: Event = EVENT, *, dry_run: bool = False) -> str:
    """Return what the handler says."""
    return handler.handle(event, WebhookContext(configuration=handler.config, dry_run=dry_run)).response


def lines(directory: Path) -> list[Any]:
    """Return every line of every file as JSON, the oldest first."""
    files = sorted(
        directory.glob("events.jsonl*"), key=lambda path: -int(path.suffix[1:]) if path.suffix[1:].isdigit() else 0
    )
    texts = [path.read_text() for path in files if path.suffix != ".lock"]
    assert all(text.endswith("\n") for text in texts)
    return [json.loads(line) for text in texts for line in text.split("\n") if line]


def write(directory: Path, name: str, count: int) -> None:
    """Deliver events under a name of their own."""
    handler = configured(directory, max_bytes=4_096, keep=1_000, fsync=False)
    for number in range(count):
        deliver(handler, replace(EVENT, id=f"{name}-{number}"))


def test_an_event_is_a_line(tmp_path: Path) -> None:
    """The body of a Standard Webhook, readable by this user alone."""
    handler = configured(tmp_path)
    deliver(handler)
    deliver(handler, replace(EVENT, id="e-2"))
    assert [line["data"]["id"] for line in lines(tmp_path)] == ["e-1", "e-2"]
    assert lines(tmp_path)[0]["data"]["payload"] == EVENT.payload
    assert handler.config.path.stat().st_mode & 0o777 == 0o600


def test_a_line_may_be_a_cloudevent(tmp_path: Path) -> None:
    """The SDK parses it."""
    deliver(configured(tmp_path, format="cloudevents"))
    line = (tmp_path / "events.jsonl").read_bytes()
    assert from_http_event(HTTPMessage(headers={"content-type": CLOUDEVENTS_TYPE}, body=line)).get_id() == "e-1"


def test_a_full_file_is_rotated_and_the_oldest_one_goes(tmp_path: Path) -> None:
    """`.1` is the newest of the older ones; none is larger than allowed."""
    handler = configured(tmp_path, max_bytes=1_024, keep=2)
    for number in range(30):
        deliver(handler, replace(EVENT, id=f"{number:02}"))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["events.jsonl", "events.jsonl.1", "events.jsonl.2", "events.jsonl.lock"]
    assert all(path.stat().st_size <= 1_024 for path in tmp_path.iterdir())
    kept = [line["data"]["id"] for line in lines(tmp_path)]
    assert kept == [f"{number:02}" for number in range(30 - len(kept), 30)]


def test_a_line_longer_than_a_file_gets_one_of_its_own(tmp_path: Path) -> None:
    """Nothing is refused for its size."""
    handler = configured(tmp_path, max_bytes=1_024)
    for text in ("x", "y" * 5_000, "z"):
        deliver(handler, replace(EVENT, payload={"text": text}))
    assert [line["data"]["payload"]["text"][0] for line in lines(tmp_path)] == ["x", "y", "z"]


def test_threads_and_processes_write_whole_lines_once(tmp_path: Path) -> None:
    """Two processes, and in this one several threads with instances of their own, through dozens of rotations."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=write, args=(tmp_path, f"p{number}", 100)) for number in range(2)]
    for process in processes:
        process.start()
    shared = configured(tmp_path, max_bytes=4_096, keep=1_000, fsync=False)
    with ThreadPoolExecutor(6) as pool:
        for number in range(3):
            pool.submit(write, tmp_path, f"t{number}", 100)
            pool.submit(lambda n=number: [deliver(shared, replace(EVENT, id=f"s{n}-{i}")) for i in range(100)])
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    names = ("p0", "p1", "t0", "t1", "t2", "s0", "s1", "s2")
    found = [line["data"]["id"] for line in lines(tmp_path)]
    assert sorted(found) == sorted(f"{name}-{number}" for name in names for number in range(100))
    assert (tmp_path / "events.jsonl.9").exists()


def test_a_line_that_a_crash_tore_does_not_swallow_the_next(tmp_path: Path) -> None:
    """It stays as it is, and the event comes after it, whole."""
    (tmp_path / "events.jsonl").write_bytes(b'{"type":"torn')
    deliver(configured(tmp_path))
    torn, whole, _ = (tmp_path / "events.jsonl").read_text().split("\n")
    assert torn == '{"type":"torn'
    assert json.loads(whole)["data"]["id"] == "e-1"


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    """The delivery fails with the reason, and what was there before is untouched."""
    handler = configured(tmp_path, fsync=False)
    deliver(handler)
    before = handler.config.path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 50, limits[1]))
    try:
        with pytest.raises(DeliveryFailed, match="File too large"):
            deliver(handler)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert handler.config.path.read_bytes() == before
    deliver(handler)
    assert len(lines(tmp_path)) == 2


def test_a_lock_that_is_not_let_go_is_a_failure(tmp_path: Path) -> None:
    """A writer elsewhere that hangs does not hold this one for ever."""
    file = RotatedFile(tmp_path / "x", max_bytes=1_024, keep=1, fsync=False, patience=0.05)
    descriptor = os.open(tmp_path / "x.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(LockBusy, match="another process"):
        file.append(b"1")
    os.close(descriptor)
    assert file.append(b"1") == 2


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    """Not even a file."""
    assert deliver(configured(tmp_path), dry_run=True).startswith("Dry run: ")
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Whoever may write into the folder cannot have another file appended to."""
    (tmp_path / "target").touch()
    (tmp_path / "events.jsonl").symlink_to(tmp_path / "target")
    handler = configured(tmp_path)
    assert [problem.pointer for problem in handler.validate_configuration(handler.config)] == ["/file_name"]
    with pytest.raises(DeliveryFailed, match="cannot be written"):
        deliver(handler)
    assert (tmp_path / "target").read_bytes() == b""


def test_a_folder_that_is_not_there_is_found_before_anything_is_enabled(tmp_path: Path) -> None:
    """By `validate_configuration`, and by `start`."""
    handler = configured(tmp_path / "no")
    assert handler.validate_configuration(handler.config)[0].pointer == "/directory"
    with pytest.raises(PluginMisconfigured, match="There is no folder"):
        handler.start(cast("Any", None))
    there = configured(tmp_path)
    assert there.validate_configuration(there.config) == ()
    assert there.destination() == f"file://{tmp_path}/events.jsonl"


@pytest.mark.parametrize(
    "settings",
    [
        {"directory": Path("relative")},
        {"directory": Path("/tmp/../etc")},
        {"file_name": "../x"},
        {"file_name": "a/b"},
        {"file_name": ".hidden"},
        {"file_name": ""},
        {"keep": 0},
        {"max_bytes": 1},
    ],
)
def test_a_configuration_that_cannot_work_is_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    """A name is a name, and a folder is a folder."""
    with pytest.raises(ValueError, match="validation error"):
        configured(**{"directory": tmp_path, **settings})
