"""Plays a document in a folder of its own: writes its files, runs its programs and its commands, compares outputs.

The commands of a document share one shell and its programs one interpreter, as a reader's would. What serves
(`hotplane serve`, `hotplane worker`, …) runs beside the rest until the document ends. Ports that a document names are
replaced by free ones, and put back in what is printed. In an expected output ``…`` stands for anything within a line,
and a line of nothing else for any lines.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from hotplane.config import HotplaneConfig, config_from_mapping
from tests.docs.pages import ROOT, Block, Page, Step

SECONDS = 120.0
"""The limit of one command, and of a server's first line."""
MARK = "\x1e"

_SERVES = re.compile(r"(\w+=\S+ )*(hotplane (serve|worker|webhooks listen)|uvicorn)\b(?!.*--help)")
_PORT = re.compile(r"(?P<before>(?:127\.0\.0\.1|localhost|\[::1\]):|\bport[ :=]+|-p )(?P<port>[1-9]\d{3,4})\b")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DRIVER = """
import sys, traceback
names = {"__name__": "__main__"}
for path in map(str.strip, sys.stdin):
    try:
        exec(compile(open(path, encoding="utf-8").read(), path, "exec"), names)
        code = 0
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        code = 1
    print(f"\\x1e{code}", flush=True)
"""
_SHELL = f"""
set -o pipefail
while IFS= read -r script; do . "$script" </dev/null; printf '{MARK}%d\\n' $?; done 2>&1
"""


class Wrong(AssertionError):
    """A document does not say what happens."""


class Player:
    """Plays one document.

    The shell has the ids of what serves in the array `served`, and does not wait for it.

    Args:
        page: The document.
        folder: An empty folder.
    """

    def __init__(self, page: Page, folder: Path) -> None:
        self._page = page
        self._folder = folder / "page"
        self._scratch = folder / "scratch"
        self._home = folder / "home"
        self._ports: dict[str, str] = {}
        self._children: list[subprocess.Popen[str]] = []
        self._bash = ["bash", "-c", _SHELL]
        self._numbers = iter(range(1_000_000))
        for each in (self._folder, self._scratch, self._home):
            each.mkdir()
        for name, target in (("examples", ROOT / "examples"), (".venv", Path(sys.prefix))):
            if f"{name}/" in page.text or f"{name}." in page.text:
                (self._folder / name).symlink_to(target)
        self._environment = _environment(self._home, self._port("3000"), self._folder)

    def play(self) -> None:
        """Play it from beginning to end.

        Raises:
            Wrong: With the place, what was expected and what came.
        """
        with contextlib.ExitStack() as stack:
            stack.callback(self._end)
            for block in self._page.blocks:
                if not block.excuse:
                    self._play(block)

    def _play(self, block: Block) -> None:
        if block.path:
            self._write(block)
        plays = {"console": self._console, "python": self._python, "yaml": self._yaml, "json": self._json}
        if not block.path or block.language == "yaml":
            plays.get(block.language, lambda _: None)(block)

    def _write(self, block: Block) -> None:
        path = self._here() / block.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._outward(block.text), "utf-8")

    def _here(self) -> Path:
        """Return where the document's shell is."""
        script = self._scratch / "where"
        self._ask("bash", self._bash, f"pwd > {script}")
        return Path(script.read_text("utf-8").strip())

    def _yaml(self, block: Block) -> None:
        found = yaml.safe_load(block.text)
        if isinstance(found, dict) and found.keys() <= HotplaneConfig.model_fields.keys():
            config_from_mapping(found)
        elif not block.path:
            raise Wrong(f"{self._page.name}:{block.line}: this is no configuration")

    def _json(self, block: Block) -> None:
        json.loads(block.text)

    # --- programs ---

    def _python(self, block: Block) -> None:
        code, output = self._ask("python", [sys.executable, "-c", _DRIVER], self._outward(block.text))
        self._check(block, Step(command="python", output=block.output or "", line=block.line), output, code=code)

    # --- commands ---

    def _console(self, block: Block) -> None:
        for step in block.steps:
            command = self._outward(step.command)
            if _SERVES.match(command):
                self._serve(block, step, command)
                continue
            code, output = self._ask("bash", self._bash, command)
            self._check(block, step, output, code=code)

    def _serve(self, block: Block, step: Step, command: str) -> None:
        log = self._scratch / f"served-{next(self._numbers)}"
        code, output = self._ask("bash", self._bash, f"{command} > {log} 2> {log}.log & served+=($!); disown")
        if code:
            raise Wrong(output)
        ends = time.monotonic() + SECONDS
        while not _says_enough(text := _read(log), _read(log.with_suffix(".log")), step.output):
            if time.monotonic() > ends:
                raise Wrong(f"{self._page.name}:{step.line}: {command} is silent\n{_read(log.with_suffix('.log'))}")
            time.sleep(0.02)
        self._check(block, step, text, code=0)

    # --- children ---

    def _ask(self, name: str, command: list[str], text: str) -> tuple[int, str]:
        """Hand a text to the document's shell or interpreter, and return its exit code and what it printed."""
        child = next((each for each in self._children if each.args == command), None) or self._start(command)
        script = self._scratch / f"{name}-{next(self._numbers)}"
        script.write_text(text + "\n", "utf-8")
        assert child.stdin
        child.stdin.write(f"{script}\n")
        child.stdin.flush()
        output, _, code = _read_to_mark(child, self._page.name).rpartition(MARK)
        return int(code), self._homeward(output)

    def _start(self, command: list[str]) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            command, cwd=self._folder, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, bufsize=1, start_new_session=True,
        )  # fmt: skip
        self._children.append(child)
        return child

    def _end(self) -> None:
        for child in self._children:
            for each in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):  # all of its group have ended
                    os.killpg(child.pid, each)
                    _until_gone(child)
            child.communicate()

    # --- texts ---

    def _port(self, written: str) -> str:
        if written not in self._ports:
            self._ports[written] = str(_unused_port())
        return self._ports[written]

    def _outward(self, text: str) -> str:
        return _PORT.sub(lambda found: found["before"] + self._port(found["port"]), text)

    def _homeward(self, text: str) -> str:
        for written, used in self._ports.items():
            text = re.sub(rf"\b{used}\b", written, text)
        return text.replace(str(self._home), "/home/you").replace(str(self._folder), "/home/you")

    def _check(self, block: Block, step: Step, output: str, *, code: int) -> None:
        output = self._homeward(output)
        place = f"{self._page.name}:{step.line}: $ {step.command}"
        if not step.output:
            if code:
                raise Wrong(f"{place} ends with {code}\n{output}")
        elif not _fits(_steady(step.output, block.varies), _steady(output, block.varies)):
            raise Wrong(f"{place}\n--- the page says\n{step.output}\n--- it printed\n{output}")


def _unused_port() -> int:
    """Return a port that nobody has, and that the system gives nobody who asks for any port, until it is taken."""
    while True:
        port = random.randrange(10_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):  # somebody has it: the next one
            return port


def _environment(home: Path, port: str, folder: Path) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("HOTPLANE_", "COLUMNS", "PYTHON"))
    }
    return {
        **kept,
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "NO_COLOR": "1",
        "PYTHONPATH": str(folder),
        "HOTPLANE_SERVER": f"http://127.0.0.1:{port}",
        "HOTPLANE_SERVER__PORT": port,
    }


def _read_to_mark(child: subprocess.Popen[str], name: str) -> str:
    assert child.stdout
    text, ends = "", time.monotonic() + SECONDS
    while re.search(rf"{MARK}\d+\n$", text) is None:
        if not select.select([child.stdout], [], [], max(0.0, ends - time.monotonic()))[0]:
            raise Wrong(f"{name}: no end after {SECONDS:g} s\n{text}")
        read = os.read(child.stdout.fileno(), 65536).decode("utf-8", "replace")
        if not read:
            raise Wrong(f"{name}: the shell ended\n{text}")
        text += read
    return text


def _until_gone(child: subprocess.Popen[str]) -> None:
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        child.poll()
        os.killpg(child.pid, 0)
        time.sleep(0.02)


def _read(log: Path) -> str:
    return log.read_text("utf-8") if log.exists() else ""


def _says_enough(output: str, errors: str, expected: str) -> bool:
    return output.count("\n") >= expected.count("\n") if expected else "\n" in output + errors


def _steady(text: str, varies: Sequence[str]) -> str:
    kept = (line for line in text.splitlines(keepends=True) if not line.startswith(tuple(varies)))
    return "".join(kept)


def _fits(expected: str, output: str) -> bool:
    pattern = "".join(_patterns(_UUID.sub("(id)", expected)))
    return re.fullmatch(pattern, _UUID.sub("(id)", output).rstrip() + "\n") is not None


def _patterns(expected: str) -> Iterator[str]:
    for line in expected.rstrip().split("\n"):
        if line.strip() == "…":
            yield r"(?:.*\n)*?"
        else:
            yield ".*?".join(re.escape(part.rstrip() if last else part) for part, last in _parts(line)) + r"[ \t]*\n"


def _parts(line: str) -> list[tuple[str, bool]]:
    parts = line.split("…")
    return [(part, index == len(parts) - 1) for index, part in enumerate(parts)]


def missing_tools(page: Page) -> list[str]:
    """Return the programs that a document uses and this machine does not have."""
    text = "".join(block.text for block in page.blocks if block.language == "console" and not block.excuse)
    used = [tool for tool in ("curl", "jq", "openssl", "sqlite3") if re.search(rf"\b{tool}\b", text)]
    return [tool for tool in used if shutil.which(tool) is None]
