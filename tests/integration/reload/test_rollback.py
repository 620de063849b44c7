"""Bad edits: in every case the old generation serves on, and the host says why."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.reload.cases import CASES, Case
from tests.integration.reload.conftest import OpenYard, Yard

WORDS = {"name": "marking", "configuration": {"words": "many"}}


async def edited(yard: Yard, case: Case) -> None:
    """Check all that has to be true after a bad edit."""
    reload = await yard.until_reload("failed")
    assert case.words in reload.reason
    assert (reload.generation, reload.version, reload.trigger) == (1, "1", "file")
    status = yard.status()
    assert (status.state, status.generation, status.last_reload, status.reason) == ("active", 1, reload, None)
    assert await yard.marker() == "one"


@contextmanager
def limited(yard: Yard, limits: Mapping[str, float]) -> Generator[None]:
    """Have the limits hold for the bad edit alone: a good one may take as long as the machine does."""
    settings = vars(yard.host.plugins._operations._settings)
    before = {name: settings[name] for name in limits}
    settings.update(limits)
    try:
        yield
    finally:
        settings.update(before)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_bad_edit_leaves_the_old_generation_serving(
    open_yard: OpenYard, directory: Path, case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    """The old generation answers as before; status, news and log name the reason; the next good edit is served."""
    caplog.set_level("INFO", "hotplane")
    (directory / "marking.py").write_text(case.before)
    entries = [WORDS] if "words" in case.before else []
    async with open_yard(*entries) as yard:
        assert await yard.marker() == "one"
        with limited(yard, case.settings):
            yard.write(case.text)
            await edited(yard, case)
        yard.write(case.before.replace("'one'", "'good'").replace("export_state", "exported"))
        if "old export_state" not in case.name:
            swapped = await yard.until_reload("swapped")
            assert (swapped.generation, await yard.marker()) == (2, "good")
        await yard.until(lambda: yard.host.stats()["stuck_threads"] == 0)
    failed = [record for record in caplog.records if record.getMessage().startswith("plugin.reload-failed")]
    assert case.words in vars(failed[0])["hotplane_fields"]["reason"]


async def test_taking_a_bad_edit_back_clears_the_failure(open_yard: OpenYard, directory: Path) -> None:
    """The files are what serves again: the status says so, and no new generation is made."""
    (directory / "marking.py").write_text(CASES[0].before)
    async with open_yard() as yard:
        yard.write(CASES[0].text)
        await yard.until_reload("failed")
        yard.write(CASES[0].before)
        await yard.until_reload("unchanged")
        assert (yard.status().generation, await yard.marker()) == (1, "one")


async def test_the_new_generation_is_stopped_when_it_is_not_taken(
    open_yard: OpenYard, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A generation that started and then failed its health check is stopped, for it may hold things."""
    body = """
def start(self, context):
    self.log = context.log
def stop(self):
    self.log.info("stopped.{0}")
def check_health(self):
    return Health(status="{1}")
"""
    caplog.set_level("INFO", "hotplane")
    text = CASES[3].before
    (directory / "marking.py").write_text(
        text + "".join(f"    {line}\n" for line in body.format(1, "healthy").splitlines())
    )
    async with open_yard() as yard:
        yard.write(text + "".join(f"    {line}\n" for line in body.format(2, "unhealthy").splitlines()))
        await yard.until_reload("failed")
        said = [record.getMessage() for record in caplog.records if record.getMessage().startswith("stopped.")]
        assert said == ["stopped.2 plugin='marking'"]
