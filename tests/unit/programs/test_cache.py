"""Programs that have been loaded: one import for all who ask, none for those who ask later."""

from __future__ import annotations

import asyncio

import pytest

from hotplane.errors import ProgramNotImportable
from hotplane.programs import Program, cache
from hotplane.programs.cache import ProgramCache

BOUND = 60.0


class Imports:
    """Imports what it is told to, when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.released = asyncio.Event()
        self.broken = False

    async def __call__(self, spec: str) -> Program:
        self.asked.append(spec)
        await self.released.wait()
        if self.broken:
            raise ProgramNotImportable(spec, "it is broken")
        return Program(spec, lambda given: given, is_async=False)


@pytest.fixture
def imports() -> Imports:
    """Give imports that wait for their release."""
    return Imports()


async def test_everybody_waits_for_one_import(imports: Imports) -> None:
    """Afterwards the program is there without waiting."""
    programs = ProgramCache(imports)
    waiting = [asyncio.create_task(programs.load("m:f", BOUND)) for _ in range(10)]
    await asyncio.sleep(0)
    assert programs.get("m:f") is None
    imports.released.set()
    found = await asyncio.gather(*waiting)
    assert imports.asked == ["m:f"]
    assert {id(each) for each in found} == {id(programs.get("m:f"))}


async def test_who_waits_no_longer_stops_nobodys_import(imports: Imports) -> None:
    """A limit that passes and a caller that is cancelled leave it going for the others."""
    programs = ProgramCache(imports)
    with pytest.raises(TimeoutError):
        await programs.load("m:f", 0.0)
    cancelled, patient = (asyncio.create_task(programs.load("m:f")) for _ in range(2))
    await asyncio.sleep(0)
    cancelled.cancel()
    imports.released.set()
    assert (await patient).spec == "m:f"
    assert cancelled.cancelled()
    assert imports.asked == ["m:f"]


async def test_a_failed_import_is_not_remembered(imports: Imports) -> None:
    """The file may be mended meanwhile."""
    programs = ProgramCache(imports)
    imports.released.set()
    imports.broken = True
    with pytest.raises(ProgramNotImportable):
        await programs.load("m:f", BOUND)
    assert "m:f" not in programs
    imports.broken = False
    assert (await programs.load("m:f", BOUND)).spec == "m:f"


async def test_the_oldest_gives_way(imports: Imports, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are never more than so many."""
    monkeypatch.setattr(cache, "MAX_CACHED", 2)
    programs = ProgramCache(imports)
    imports.released.set()
    for name in ("a", "b", "c"):
        await programs.load(f"m:{name}", BOUND)
    assert [f"m:{name}" in programs for name in ("a", "b", "c")] == [False, True, True]
    assert len(programs) == 2
