"""A certificate that nobody vouches for. Imports nothing of Hotplane."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["write_certificate"]


def write_certificate(path: Path) -> Path:
    """Write a self-signed certificate and its key into one file."""
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=127.0.0.1", "-keyout", str(path), "-out", str(path.with_suffix(".crt")),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path
