"""`local`: the runner that runs programs in the host's own process. Imports only `plugins`, `programs` and below."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hotplane.plugins import ProgramOverran, Runner
from hotplane.programs import Programs
from hotplane.records import PluginMetadata, Task
from hotplane.values import Json

__all__ = ["LocalRunner"]


class LocalRunner(Runner):
    """Runs programs here: async ones on the host's loop, sync ones in threads of its own pool.

    The host sets `programs` before the first call. A program is loaded once, by the first execution that needs it;
    executions that come meanwhile wait for the same import, each no longer than its deadline.
    """

    metadata = PluginMetadata(
        name="local",
        version="0.1.0",
        description="Runs programs in the host's own process, in its event loop and its own threads.",
        author="The Hotplane developers",
    )
    vetted = True
    programs: Programs
    """Loads and runs programs; set by the host."""

    async def prepare(self, spec: str) -> None:
        """Load a program before the first execution needs it.

        Raises:
            ProgramNotAllowed, ProgramNotImportable: It cannot be loaded.
            TooManyStuckThreads, Overloaded, ShuttingDown: There is no room for loading it.
        """
        await self.programs.loaded.load(spec)

    async def run(self, task: Task, input: Json, deadline: float) -> Json:
        """Run the task's program.

        Raises:
            ProgramFailed: The program raised, or returned something that is not JSON.
            ProgramOverran: The deadline passed while the program ran.
            TimeoutError: It passed while the program was imported.
            ProgramNotAllowed, ProgramNotImportable: The program cannot be loaded; it did not run.
            TooManyStuckThreads, Overloaded, ShuttingDown: There is no room for it; it did not run.
        """
        program = self.programs.loaded.get(task.program)
        if program is None:
            clock = asyncio.get_running_loop().time
            started = clock()
            program = await self.programs.loaded.load(task.program, deadline)
            deadline -= clock() - started
        try:
            return await self.programs.run(program, input, deadline)
        except TimeoutError:
            raise ProgramOverran from None

    def stats(self) -> Mapping[str, Json]:
        """Return how many programs are loaded, and what hangs."""
        return {
            "programs": len(self.programs.loaded),
            "stuck_threads": self.programs.stuck_threads,
            "stuck_tasks": self.programs.stuck_tasks,
        }
