"""Run with ``python -m examples.embedding``: embed the host, edit a plugin, break it, mend it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from hotplane import Hotplane
from hotplane.host import Reload

PLUGINS = Path(__file__).parent / "plugins"


async def ask(host: Hotplane) -> None:
    """Execute the task once, and say how it was judged and by which generation."""
    execution = await host.execute("answer", {"name": "Ada"})
    result = execution.validations[0]
    verdict = "valid" if result.valid else "not valid"
    print(f"{execution.output!r} is {verdict}: {result.message} (generation {result.generation}, {result.version})")


def replace_in(file: Path, before: str, after: str) -> None:
    """Save the file with one passage changed."""
    file.write_text(file.read_text().replace(before, after))


async def edit(host: Hotplane, file: Path, before: str, after: str) -> None:
    """Change the plugin's file as an editor would, and wait until the host has dealt with it."""
    with host.plugins.subscribe() as news:
        await asyncio.to_thread(replace_in, file, before, after)
        reload = await anext(each async for each in news if isinstance(each, Reload))
    print(f"{reload.outcome} in {reload.duration_ms:.0f} ms" + (f": {reload.reason}" if reload.reason else ""))


async def main() -> None:
    """Use one object for the whole of it: start, execute, edit, stop."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(
            shutil.copytree(PLUGINS, Path(folder, "plugins"), ignore=shutil.ignore_patterns("__pycache__"))
        )
        configuration = {
            "storage": {"url": str(Path(folder, "embedding.db"))},
            "programs": {"allow": ["examples.embedding.answering"]},
            "plugins": {"directories": [str(directory)], "samplers": [{"name": "percentage-sampler"}]},
            "tasks": [{"id": "answer", "program": "examples.embedding.answering:answer", "sampling_rate": 1.0}],
        }
        file = directory / "politeness.py"
        async with Hotplane.from_config(configuration) as host:
            await ask(host)
            await edit(host, file, '{"idiot"}', '{"idiot", "fool"}')
            await ask(host)
            await edit(host, file, "class Politeness", "class (Politeness")
            await ask(host)
            await edit(host, file, "class (Politeness", "class Politeness")
            await edit(host, file, 'version="1.0"', 'version="1.1"')
            await ask(host)


if __name__ == "__main__":
    asyncio.run(main())
