"""The command of the demo: starts workers and a server, drives them, kills workers, shows the summary.

Exit code 0, or 1 with one message.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic

import httpx2
from rich.console import Console

from examples.demo.display import Display
from examples.demo.drive import TASK, Driver, Swap, new_client, swap_plugins
from examples.demo.failure import DemoFailed
from examples.demo.messages import Message, read_messages
from examples.demo.outage import FEWEST_MESSAGES, Outage
from examples.demo.report import print_summary, print_traffic, shortfall
from examples.demo.server import ROOT, Server
from examples.demo.tally import Tally
from examples.demo.traffic import Traffic
from examples.demo.workers import ROUTE, Workers, write_config

CONFIG = ROOT / "examples" / "spam" / "hotplane.yaml"
MESSAGES = ROOT / "examples" / "spam" / "messages.jsonl"
MAX_CONNECTIONS = 256


def main(arguments: list[str] | None = None) -> int:
    """Run the demo and return the exit code: 0, 1 for a failure, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False)
    try:
        asyncio.run(_run_until_told(options, console))
    except DemoFailed as failure:
        print(f"demo: {failure}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("demo: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description="Watch Hotplane execute messages.")
    source = os.environ.get("INPUT") or MESSAGES
    parser.add_argument(
        "input", nargs="?", type=Path, default=Path(source), help="JSON lines; default: $INPUT, or %(default)s"
    )
    parser.add_argument("--port", type=int, default=0, help="port of the server; default: a free one")
    parser.add_argument(
        "--connections", type=_connections, default=16, help="connections at once (default %(default)s)"
    )
    parser.add_argument(
        "--no-faults", action="store_true", help="no workers: the server runs the programs itself, at full speed"
    )
    return parser


def _connections(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:4]) <= MAX_CONNECTIONS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MAX_CONNECTIONS}")
    return int(text)


async def _run_until_told(options: argparse.Namespace, console: Console) -> None:
    """Run the demo; SIGTERM cancels it, so that no server and no worker outlives it."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    messages = read_messages(options.input)
    folder = _folder()
    try:
        await _run(messages, folder, options, console)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="hotplane-demo-"))
    except OSError as error:
        raise DemoFailed(f"There is no room for the demo's store: {error}. Set TMPDIR to another folder.") from error


async def _run(messages: list[Message], folder: Path, options: argparse.Namespace, console: Console) -> None:
    if options.no_faults or len(messages) < FEWEST_MESSAGES:
        if not options.no_faults:
            console.print(f"Fewer than {FEWEST_MESSAGES} messages: too few for workers that fail; running without.")
        await _serve(messages, Server(CONFIG, folder, options.port), None, options, console)
        return
    async with Workers(folder) as workers:
        console.print(
            f"Worker A speaks Valkyrie at {workers.a.endpoint}, worker B HTTP at {workers.b.url}.", soft_wrap=True
        )
        config = write_config(CONFIG, TASK, workers, folder)
        console.print(f"The task {TASK} goes to the first of {', '.join(ROUTE)} that can take it.", soft_wrap=True)
        await _serve(messages, Server(config, folder, options.port), workers, options, console)


async def _serve(
    messages: list[Message], server: Server, workers: Workers | None, options: argparse.Namespace, console: Console
) -> None:
    began = monotonic()
    async with server, new_client(server.url, options.connections) as client:
        console.print(f"A Hotplane server is ready at {server.url} after {monotonic() - began:.1f} s.", soft_wrap=True)
        console.print(f"Sending {len(messages)} messages of {options.input} to the task {TASK}.", soft_wrap=True)
        with Display(console, len(messages)) as display:
            outage = workers and Outage(workers, len(messages), Traffic(display.say), display.say)
            swaps: list[Swap] = []
            driver = Driver(client, messages, _halfway(client, display, swaps), display.update, options.connections)
            if outage:
                driver.course = outage
            tally = await _drive(driver, server)
            seconds = display.seconds
    if tally.failures:
        raise DemoFailed(f"{tally.failures.total()} requests failed: {', '.join(tally.failures)}.")
    print_summary(console, tally, swaps[0], seconds, paced=outage is not None)
    if outage:
        print_traffic(console, outage.traffic)
    if wrong := shortfall(tally, outage.traffic if outage else None):
        raise DemoFailed(wrong)
    _print_next(console, server, tally)


def _halfway(client: httpx2.AsyncClient, display: Display, swaps: list[Swap]) -> Callable[[], Awaitable[None]]:
    async def halfway() -> None:
        swap = await swap_plugins(client)
        swaps.append(swap)
        display.say(f"Half-way, and the server keeps running: {swap.disabled} is disabled; {swap.moved} moves")
        display.say(f"from priority {swap.priority_before} to {swap.priority_after}, ahead of the schema validator.")

    return halfway


async def _drive(driver: Driver, server: Server) -> Tally:
    try:
        return await driver.run()
    except httpx2.TransportError as error:
        gone = "The server died." if await server.died(within=5.0) else f"The server stopped answering ({error!r})."
        raise server.failure(gone) from error


def _print_next(console: Console, server: Server, tally: Tally) -> None:
    which, found = ("an invalid", tally.an_invalid) if tally.an_invalid else ("an", tally.any_id)
    options = f"--config {_near(CONFIG)} --store {server.store} --port {server.url.rpartition(':')[2]}"
    console.print(f"\nNext, look at {which} execution; its record was kept:", soft_wrap=True)
    console.print(f"  {_near(sys.executable)} -m hotplane serve {options} &", soft_wrap=True, markup=False)
    console.print(f"  curl {server.url}/api/executions/{found}", soft_wrap=True, markup=False)


def _near(path: str | Path) -> str:
    """Return a path as it is typed from here."""
    path, here = Path(path), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


if __name__ == "__main__":
    sys.exit(main())
