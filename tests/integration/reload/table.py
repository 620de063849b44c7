"""Print what becomes of every bad edit: ``python -m tests.integration.reload.table``."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from pathlib import Path

from hotplane import Hotplane
from hotplane.errors import PluginReloadFailed
from tests.integration.reload.cases import CASES, Case
from tests.integration.reload.conftest import configuration_of, write_programs


async def row(case: Case, folder: Path) -> str:
    """Make one bad edit in a host of its own, and return what came of it."""
    directory = folder / "plugins"
    directory.mkdir()
    (directory / "marking.py").write_text(case.before)
    entries = [{"name": "marking", "configuration": {"words": "many"}}] if "words" in case.before else []
    tree = configuration_of(folder, directory, write_programs(folder), entries, {**case.settings, "watch": False})
    async with Hotplane.from_config(tree) as host:
        (directory / "marking.py").write_text(case.text)
        try:
            await host.plugins.reload("marking")
        except PluginReloadFailed as error:
            message = error.reason
        else:
            message = "IT SERVES"
        execution = await host.execute("upper", {"text": "a"})
        result = execution.validations[0]
        serving = f"generation {result.generation}, {result.message!r}, valid {result.valid}"
    return f"| {case.name} | {serving} | {message.replace(str(directory) + '/', '').replace('|', '/')} |"


def main() -> None:
    """Print a Markdown table."""
    logging.disable(logging.CRITICAL)
    print("| bad edit | what answers afterwards | what the host says |\n|---|---|---|")
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            print(asyncio.run(row(case, Path(folder))))


if __name__ == "__main__":
    main()
