"""A process whose programs hang ends all the same."""

import subprocess
import sys
from textwrap import dedent

import pytest

HANGING = {
    "a thread that sleeps for ever": "def hang(_):\n    time.sleep(1e6)",
    "a thread in an endless loop": "def hang(_):\n    while True: pass",
    "a task that swallows its cancellation": """
        async def hang(_):
            while True:
                try:
                    await asyncio.sleep(1e6)
                except asyncio.CancelledError:
                    pass
    """,
}


@pytest.mark.parametrize("hanging", HANGING.values(), ids=HANGING.keys())
def test_a_process_ends_although_a_program_hangs(hanging):
    """Closing returns at once, and the interpreter waits neither for the thread nor for the task."""
    script = "\n".join(
        (
            "import asyncio, inspect, time",
            "from hotplane.programs import Program, Programs",
            dedent(hanging),
            dedent("""
                async def main():
                    programs = Programs()
                    try:
                        await programs.run(Program("m:hang", hang, inspect.iscoroutinefunction(hang)), None, 0.05)
                    except TimeoutError:
                        await asyncio.sleep(0)
                        print(programs.stuck_threads + programs.stuck_tasks, flush=True)
                    programs.close()

                started = time.monotonic()
                asyncio.run(main())
                print(time.monotonic() - started < 20, flush=True)
            """),
        )
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert [process.stdout.readline() for _ in range(2)] == ["1\n", "True\n"]
        # What follows the last line is the interpreter's own end.
        assert process.wait(timeout=40) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
