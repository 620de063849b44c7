"""The demo's workers as real processes, and the configuration that sends work to them."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from examples.demo.child import ROOT
from examples.demo.failure import DemoFailed
from examples.demo.workers import BREAKER_MAX_SECONDS, ROUTE, Worker, Workers, write_config
from hotplane.config import load_config

CONFIG = ROOT / "examples" / "spam" / "hotplane.yaml"


def is_listening(address: str) -> bool:
    """Tell whether somebody accepts connections at an address."""
    parts = urlsplit(address)
    assert parts.hostname
    assert parts.port
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname, parts.port)) == 0


async def test_workers_are_killed_and_come_back_where_they_were(tmp_path: Path):
    """Nobody listens after SIGKILL; started again they have their addresses back, and after the block they are gone."""
    async with Workers(tmp_path) as workers:
        before = [workers.a.endpoint, workers.b.url]
        assert all(map(is_listening, before))
        await workers.a.kill()
        await workers.b.kill()
        assert not any(map(is_listening, before))
        await workers.start()
        assert [workers.a.endpoint, workers.b.url] == before
        assert all(map(is_listening, before))
    assert not any(map(is_listening, before))


async def test_a_worker_that_cannot_start_is_named(tmp_path: Path):
    """Its port is taken: the message has its name and its last words, and the other worker is gone, too."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        workers = Workers(tmp_path)
        workers.b.url = f"http://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(DemoFailed, match=r"(?s)The worker B ended before it was ready.*last words were:\n  \S"):
            async with workers:
                pytest.fail("it started")
    assert await workers.a.died()
    assert await workers.b.died()


async def test_a_token_in_the_environment_closes_no_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The demo's server knows no token, so its workers ask for none."""
    monkeypatch.setenv("HOTPLANE_WORKER_TOKEN", "s3cret")
    assert "HOTPLANE_WORKER_TOKEN" not in Worker("worker A", tmp_path).environment()


def test_the_written_configuration_is_the_example_with_a_route(tmp_path: Path):
    """The task goes to the workers first; all else is as in the example's own file."""
    workers = Workers(tmp_path)
    workers.a.endpoint, workers.b.url = "tcp://127.0.0.1:1234", "http://127.0.0.1:1235"
    made = load_config(write_config(CONFIG, "spam-detector", workers, tmp_path)).config
    original = load_config(CONFIG).config
    task = next(task for task in made.tasks if task.id == "spam-detector")
    assert task.route == ROUTE
    assert task.idempotent
    assert made.fallback.breaker.open_max_seconds == BREAKER_MAX_SECONDS
    assert made.plugins.validators == original.plugins.validators
    assert [task.id for task in made.tasks] == [task.id for task in original.tasks]
    assert [entry.configuration.get("endpoint") for entry in made.plugins.runners] == ["tcp://127.0.0.1:1234", None]
    assert made.plugins.runners[1].configuration["base_url"] == "http://127.0.0.1:1235"
